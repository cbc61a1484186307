"""The `efemera` command line: its commands, `--version`, and errors as one line with an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Annotated

import typer

from export.commands import batch, data
from export.commands.demo import demo
from export.commands.evaluate import evaluate
from export.commands.explain import explain
from export.commands.export import export, parity
from export.commands.lab import lab
from export.commands.predict import predict
from export.commands.promote import promote
from export.commands.publish import publish
from export.commands.serve import serve
from export.commands.train import train
from export.errors import EfemeraError
from export.screen import out, say, say_error
from lambda_fn import __version__

app = typer.Typer(
    name="efemera",
    help="Daily price forecasts with an LSTM: trained in PyTorch, proven equal in ONNX, served from AWS Lambda.",
    epilog="Exit codes: 0 done, 1 output not written, 2 bad input, 3 a gate refused, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, train, export, parity, evaluate, promote, publish, predict, explain, serve, lab):
    app.command()(command)
app.add_typer(batch.app)
app.add_typer(data.app)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        out.print(f"efemera {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options of `efemera` itself, before any command's."""


def main() -> None:
    """Run one command; a refusal is one line on stderr and its exit code, never a traceback.

    Ended by a signal it tidies up, as after Ctrl-C, and exits with 128 + its number.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a sign shows another
    signals: list[int] = []

    def end(number: int, _: object) -> None:
        signals.append(number)
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP, and so do we then
            signal.signal(number, end)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, where a failure can be told, and not while Python ends
    except EfemeraError as error:
        say_error(str(error))
        sys.exit(error.exit_code)
    except RuntimeError as error:
        if "Query interrupted" not in str(error):  # DuckDB's word for any signal
            raise
        say("\ninterrupted")
        sys.exit(128 + [*signals, signal.SIGINT][0])
    except OSError as error:  # a full disk or a closed pipe, where no command could say more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered goes nowhere
        say_error(str(error))
        sys.exit(1)
