"""Flags that several commands share, and the folder they default to."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from export.errors import InputError
from lambda_fn import MODELS as MODELS  # the set that comes with the project

PricesOption = Annotated[
    list[Path],
    typer.Option(
        "--prices",
        "-p",
        help="CSV, CSV.gz or Parquet with unique_id, ds, y (also Yahoo's columns), or a folder. Repeatable.",
        show_default=False,
    ),
]
SkipBadOption = Annotated[
    bool,
    typer.Option("--skip-bad", help="Leave out series with a bad row, and say which, instead of stopping."),
]
ModelOption = Annotated[
    Path,
    typer.Option("--model", "-m", help="Folder with an exported model. [the project's own]", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
TableOption = Annotated[
    str,
    typer.Option("--out", "-o", help="Table to write: .parquet, .csv or .csv.gz, here or s3://bucket/key."),
]


def day_option(flag: str, text: str) -> datetime.date:
    """Parse the calendar date given to a flag; raises `InputError`."""
    from export.data.calendars import parse_day

    day = parse_day(text)
    if day is None:
        raise InputError(f"{flag}: {text!r} is not a calendar date (YYYY-MM-DD)")
    return day
