"""`efemera data …`: market data in, one file for each command."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="data",
    help="Market data in: each command writes one table `unique_id, ds, y`, as Parquet or CSV, here or on s3://.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
for command in ():
    app.command()(command)
