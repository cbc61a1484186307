"""`efemera data audit`: what is wrong with a table of prices, before anything learns from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.commands.options import JsonOption, SkipBadOption
from export.errors import GateRefused, InputError, input_errors
from export.screen import print_json, say, say_notes

if TYPE_CHECKING:
    from lambda_fn.tables.price_files import PriceFile


def audit(
    files: Annotated[
        list[str],
        typer.Argument(
            help="CSV, CSV.gz or Parquet with unique_id, ds, y (also Yahoo's columns), folders, or s3:// of them.",
            metavar="FILES",
        ),
    ],
    calendar: Annotated[
        list[str] | None,
        typer.Option(
            help="BVMF, XNYS, 24/7, weekdays, …: for all series, or as 'ID=NAME' for one or a pattern. Repeatable.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    stale: Annotated[int, typer.Option(help="Rows with the very same close from which they count as stale.")] = 5,
    ended: Annotated[int, typer.Option(help="Sessions that a series may end before the latest.")] = 5,
    column: Annotated[
        str | None, typer.Option(help="Of Yahoo's closes, Close or Adj Close. [Adj Close]", show_default=False)
    ] = None,
    skip_bad: SkipBadOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 3 when anything is found.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show every finding, not the longest of each kind.")] = False,
    json: JsonOption = False,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Write every finding as .parquet, .csv or .csv.gz.", show_default=False),
    ] = None,
) -> None:
    """Look for missing sessions, closed days, duplicates, stale prices, days without a trade, splits, early ends.

    Example: `efemera data audit prices.csv.gz --calendar XNYS --calendar PETR4=BVMF --calendar 'BTC*=24/7'`

    As a gate in a script: `efemera data audit b3.parquet --calendar BVMF --strict --out findings.csv`

    Days in a row with one fault are one finding. Without `--calendar` nobody can say which days are missing;
    `weekdays` does for currencies. The calendars are those of exchange_calendars: a closure announced after its
    release is unknown to it, and shows as a missing session.
    """
    from export.commands.data.audit_tables import show, verdict
    from export.data.audit.audit import audit as look
    from export.data.audit.findings import write_findings
    from export.data.audit.raw_prices import read_raw_prices
    from export.data.calendars import calendars_of, check_choices
    from export.data.destination import check_destination
    from lambda_fn.tables.price_files import open_price_files
    from lambda_fn.tables.s3 import is_s3
    from lambda_fn.tables.store import scratch

    if stale < 2:
        raise InputError(f"--stale: {stale} is not a number of rows from 2")
    if ended < 0:
        raise InputError(f"--ended: {ended} is not a number of sessions from 0")
    check_choices(calendar or ())
    if out:
        check_destination(out)
    with input_errors(), scratch() as folder:
        opened = open_price_files(files, folder, lambda name: say(f"fetching {name}") if is_s3(name) else None)
        if out:
            _check_apart(out, opened)
        raw = read_raw_prices(opened, skip_bad=skip_bad, column=column)
    names = calendars_of(raw.prices.ids, calendar or (), [fault.unique_id for fault in raw.skipped])
    report = look(raw, names, stale_rows=stale, ended_sessions=ended)
    say_notes(report.raw.prices.notes)
    if out:
        write_findings(report.findings, out)
    if json:
        print_json(report.as_json())
    else:
        show(report, show_all=show_all)
    if out:
        say(f"wrote {out}: {len(report.findings):,} findings")
    if strict and report.findings:
        raise GateRefused(verdict(report))


def _check_apart(out: str, files: Sequence[PriceFile]) -> None:
    """Refuse to write over what is read."""
    from lambda_fn.tables.s3 import is_s3

    for file in files:
        same = file.name[5:] == out[5:] if is_s3(file.name) else Path(out).exists() and file.source.samefile(out)
        if same and is_s3(file.name) == is_s3(out):
            raise InputError(f"--out {out}: is one of the tables to audit")
