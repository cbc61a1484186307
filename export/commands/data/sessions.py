"""`efemera data sessions`: the trading days of the next years, frozen for the serving side."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

import typer

from export.commands.options import MODELS, JsonOption, day_option
from export.errors import InputError
from export.screen import print_json, say

LONGEST = 50  # years: a file for a few years is 60 kB, and no exchange knows its holidays for longer


def sessions(
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            help="A .json as Lambda reads it, or .parquet or .csv of calendar, ds; also on s3://. [the project's own]",
            show_default=False,
        ),
    ] = str(MODELS / "sessions.json"),
    start: Annotated[
        str | None, typer.Option(help="The day to begin with. [today]", metavar="YYYY-MM-DD", show_default=False)
    ] = None,
    years: Annotated[int, typer.Option(help="How many years after that of the start.")] = 3,
    calendar: Annotated[
        list[str] | None,
        typer.Option(
            help="A calendar of exchange_calendars, or weekdays. Repeatable. [BVMF, XNYS, 24/7, weekdays]",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Freeze trading days into models/sessions.json, from which Lambda dates each step of a forecast.

    Example: `efemera data sessions`

    Two exchanges as a table: `efemera data sessions --calendar XLON --calendar XTKS --out sessions.parquet`

    Whole years are frozen, from the one that holds the month before the start. A closure announced after the release
    of exchange_calendars is unknown: freeze again at least once a year, with its newest release.
    """
    import numpy as np

    from export.data.calendars import FROZEN
    from export.data.destination import FORMATS, check_destination
    from export.data.session_file import freeze_sessions, write_sessions

    check_destination(out, (".json", *FORMATS))
    first, last = _span(day_option("--start", start) if start else datetime.date.today(), years)
    frozen = freeze_sessions(list(dict.fromkeys(calendar or FROZEN)), np.datetime64(first), np.datetime64(last))
    written = write_sessions(frozen, out)
    if json:
        print_json(_summary(frozen, out))
    counts = ", ".join(f"{name} {len(days):,}" for name, days in frozen["calendars"].items())
    say(f"{'wrote' if written else 'unchanged:'} {out}: {first} to {last}; sessions: {counts}")


def _span(start: datetime.date, years: int) -> tuple[datetime.date, datetime.date]:
    """The first and the last day to freeze: whole years, so that the file is the same all year long."""
    if not 1 <= years <= LONGEST:
        raise InputError(f"--years: {years} is not from 1 to {LONGEST}")
    if not 1900 <= start.year <= 2200:
        raise InputError(f"--start: {start} is not from 1900 to 2200")
    month_before = start - datetime.timedelta(days=31)  # in January, last year's last closes are recent
    return datetime.date(month_before.year, 1, 1), datetime.date(start.year + years, 12, 31)


def _summary(frozen: dict[str, Any], out: str) -> dict[str, Any]:
    """Summarise what was frozen, without the days."""
    return {"out": out, **frozen, "calendars": {name: len(days) for name, days in frozen["calendars"].items()}}
