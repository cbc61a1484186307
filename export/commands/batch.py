"""`efemera batch`: forecast every series of a table; `efemera batch scores`: show the accuracy of earlier forecasts."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from export.commands.options import MODELS, JsonOption, ModelOption, day_option
from export.errors import GateRefused, InputError
from export.screen import out as screen
from export.screen import print_json, progress_bar, say

app = typer.Typer(
    name="batch", invoke_without_command=True, rich_markup_mode="markdown", subcommand_metavar="[scores …]"
)

OutOption = Annotated[
    str | None,
    typer.Option("--out", "-o", help="Folder or s3://bucket/prefix of all runs and scores.", show_default=False),
]


@app.callback()
def batch(
    context: typer.Context,
    prices: Annotated[
        list[str] | None,
        typer.Option(
            "--prices",
            "-p",
            help="CSV, CSV.gz or Parquet, a folder of them, s3://bucket/key or s3://bucket/prefix/. Repeatable.",
            show_default=False,
        ),
    ] = None,
    out: OutOption = None,
    as_of: Annotated[
        str | None, typer.Option(help="The last day whose closes are read (YYYY-MM-DD).", show_default=False)
    ] = None,
    calendar: Annotated[str, typer.Option(help="Whose sessions date the steps: BVMF, XNYS, 24/7.")] = "weekdays",
    stale_after: Annotated[
        int, typer.Option(min=0, max=1000, help="Refuse a series whose last close is older, in sessions.")
    ] = 5,
    model: ModelOption = MODELS,
    processes: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Workers. [one a core]", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Forecast every series of a table after the close, with the code that runs on Lambda, on all cores.

    Writes `OUT/runs/DAY/RUN/` with the tables `forecasts/*.parquet` and `status/*.parquet` (a row for each series, with
    the reason where there is no forecast), and `_SUCCESS.json` last: a run without it is not there. The same prices,
    day and model are the same run: run again, it goes on where it stopped.

    Example: `efemera batch --prices prices.parquet --out forecasts --as-of 2026-11-20 --calendar BVMF`

    From and to S3: `efemera batch --prices s3://bucket/prices/ --out s3://bucket/forecasts --as-of 2026-11-20`

    How the forecasts of earlier runs did: `efemera batch scores --out forecasts`
    """
    if context.invoked_subcommand is not None:
        return
    for flag, value in (("--prices", prices), ("--out", out), ("--as-of", as_of)):
        if not value:
            raise InputError(f"{flag} is missing; see efemera batch --help")
    assert prices is not None
    assert out is not None
    assert as_of is not None
    day = day_option("--as-of", as_of)
    _check_out(out)
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")  # Lambda's log lines are none of the result
    result = _run(prices, out, day, calendar, stale_after, model, processes or os.cpu_count() or 1)
    success = result.success
    if json:
        import msgspec

        print_json({"run": result.folder, "found": result.was_there, **msgspec.to_builtins(success)})
        return
    from export.local.batch import refusal_examples

    _show_run(result.folder, success, result.was_there, refusal_examples(result.place, success))


@app.command()
def scores(
    out: OutOption = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw them session by session, as a PNG.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say how the forecasts of earlier runs did, once their closes are known: the last 60 sessions scored.

    The error of the median is held against "tomorrow equals today", and of each interval it is said how many closes
    fell into it. Compared are returns since the cutoff, so a later dividend or split is no miss.

    Example: `efemera batch scores --out forecasts --plot scores.png`
    """
    if not out:
        raise InputError("--out is missing; see efemera batch scores --help")
    if plot is not None and plot.suffix.lower() != ".png":
        raise InputError(f"--plot {plot}: must end in .png")
    from lambda_fn.batch.errors import BatchRefused
    from lambda_fn.batch.score_table import drift, read_scores
    from lambda_fn.tables.errors import TableError
    from lambda_fn.tables.store import open_store

    try:
        rows = read_scores(open_store(out))
    except (BatchRefused, TableError) as refusal:
        raise InputError(str(refusal)) from None
    if not rows:
        raise InputError(
            f"--out {out}: no scores yet; a run scores the earlier ones whose steps have met their closes since"
        )
    steps = [None, *sorted({int(step) for step in rows["step"]})]
    by_step = {"all" if step is None else str(step): drift(rows, step) for step in steps}
    if plot is not None:
        from export.forecast_plot import plot_scores

        plot_scores(plot, rows)
    if json:
        import dataclasses

        print_json({name: dataclasses.asdict(pooled) for name, pooled in by_step.items() if pooled is not None})
        return
    _show_scores(by_step, str(rows["ds"].min())[:10], str(rows["ds"].max())[:10])
    if plot is not None:
        say(f"drawn: {plot}")


def _run(
    prices: list[str], out: str, day: datetime.date, calendar: str, stale_after: int, model: Path, processes: int
) -> Any:
    """Run the batch with a progress bar; turn its refusals into the command line's errors."""
    from export.local.workers import context

    context()  # starts while this process imports what follows
    from export.local.batch import run_batch
    from lambda_fn.batch.errors import BatchRefused, Incomplete, ModelReplaced
    from lambda_fn.batch.records import Settings
    from lambda_fn.model.manifest import ModelRefused
    from lambda_fn.model.sessions import SessionsRefused
    from lambda_fn.tables.errors import InputRefused, TableError

    settings = Settings(prices=prices, out=out, as_of=day, calendar=calendar, stale_after=stale_after)
    try:
        with progress_bar() as bar:
            task = bar.add_task("reading", total=None)

            def on_shards(done: int, total: int) -> None:
                bar.update(task, description="shards", completed=done, total=total)

            def on_step(step: str) -> None:
                bar.update(task, description=_short(step))

            return run_batch(settings, model, processes, on_step, on_shards)
    except (ModelRefused, SessionsRefused, ModelReplaced, Incomplete) as refusal:
        raise GateRefused(str(refusal)) from None
    except InputRefused as refusal:
        raise InputError(f"--prices {refusal}" if str(refusal).startswith("no file") else str(refusal)) from None
    except BatchRefused as refusal:
        raise InputError(str(refusal).replace("the input of the run: calendar", "--calendar:")) from None
    except TableError as refusal:
        raise InputError(str(refusal)) from None
    except KeyboardInterrupt:
        say("interrupted; the shards that are done stay done: run the same command again to go on")
        raise typer.Exit(130) from None


def _check_out(out: str) -> None:
    """Refuse a place that can't be written before long work rather than after it."""
    if out.lower().startswith("s3://"):
        return
    path = Path(out).resolve()
    try:
        folder = next(place for place in (path, *path.parents) if place.exists())
    except OSError as error:
        raise InputError(f"--out {out}: can't be written ({error.strerror})") from None
    if not folder.is_dir():
        raise InputError(f"--out {out}: {'is' if folder == path else f'{folder} is'} not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--out {out}: can't be written (no permission in {folder})")


def _show_run(folder: str, success: Any, was_there: bool, examples: dict[str, tuple[str, str]]) -> None:
    """Print the counts of a run, with one example for each status of refusal."""
    screen.print(f"{success.forecast:,} of {success.series:,} series forecast as of {success.as_of}")
    for status, series in success.refused.items():
        name, reason = (" ".join(text.split()) for text in examples.get(status, ("", "")))  # gone with its part
        screen.print(f"{series:>9,} {status}" + (f", such as {name[:40]}: {reason}" if reason else ""))
    screen.print(f"{'there already' if was_there else 'written'}: {folder}")
    screen.print(f"model {success.model_version}, verdict: {success.verdict}; no investment advice")


def _show_scores(by_step: dict[str, Any], first: str, last: str) -> None:
    """Print a table of `Drift`, a row a step, all of them pooled first."""
    levels = list(by_step["all"].coverage)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for name in ("step", "forecasts", "error/naive", *(f"{level}% covers" for level in levels), "pinball"):
        table.add_column(name, justify="left" if name == "step" else "right", no_wrap=True)
    for step, pooled in by_step.items():
        table.add_row(
            step,
            f"{pooled.series:,}",
            f"{pooled.ratio_to_naive:.3f}",
            *(f"{pooled.coverage[level]:.1%}" for level in levels),
            f"{pooled.pinball:.5f}",
        )
    screen.print(table)
    sessions = by_step["all"].sessions
    screen.print(
        f"{sessions} session{'s' * (sessions != 1)} scored, {first} to {last}; errors and pinball in log returns"
    )


def _short(text: str) -> str:
    """Cut a text to 60 characters, for the progress line."""
    return text if len(text) <= 60 else f"{text[:28]} … {text[-28:]}"
