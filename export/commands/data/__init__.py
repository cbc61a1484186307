"""`efemera data …`: market data in, one file for each command."""

from __future__ import annotations

import typer

from export.commands.data.audit import audit
from export.commands.data.b3 import b3
from export.commands.data.sample import sample
from export.commands.data.sessions import sessions
from export.commands.data.yahoo import yahoo

app = typer.Typer(
    name="data",
    help="Market data in: closes as one table `unique_id, ds, y`, trading days, and an audit; here or on s3://.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
for command in (audit, b3, sample, sessions, yahoo):
    app.command()(command)
