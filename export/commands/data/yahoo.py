"""`efemera data yahoo`: daily closes from Yahoo as one table, fetched whole or brought up to date."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from export.commands.options import JsonOption, TableOption, day_option
from export.errors import InputError
from export.screen import out as screen
from export.screen import print_json, progress_bar, say, say_notes

if TYPE_CHECKING:
    from export.data.yahoo.update import Outcome

_LISTED = 20  # tickers that the summary names one by one; of more it tells how many
_DAY = datetime.timedelta(days=1)


def yahoo(
    tickers: Annotated[
        list[str], typer.Argument(metavar="TICKER...", help="As Yahoo spells them: PETR4.SA, ^BVSP, AAPL.")
    ],
    out: TableOption,
    start: Annotated[
        str | None, typer.Option(help="First day, YYYY-MM-DD. [all that Yahoo has]", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="Last day, YYYY-MM-DD. [the last one that has closed]", show_default=False)
    ] = None,
    adjusted: Annotated[
        bool,
        typer.Option(
            "--adjusted/--raw",
            help="Closes adjusted for splits and dividends, or for splits alone (Yahoo has none without).",
        ),
    ] = True,
    incremental: Annotated[
        bool,
        typer.Option("--incremental", help="Add what is missing to the table at --out; what it holds besides stays."),
    ] = False,
    volume: Annotated[bool, typer.Option("--volume", help="A fourth column: how many shares were traded.")] = False,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out tickers that Yahoo has no good closes of, instead of stopping."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Fetch daily closes from Yahoo into one table; needs the extra `.[yahoo]`.

    Example: `efemera data yahoo PETR4.SA VALE3.SA --start 2010-01-01 --out prices.parquet`

    Every evening: `efemera data yahoo PETR4.SA VALE3.SA --incremental --out s3://bucket/prices.parquet`

    A session that has not ended is left out: its price is no close yet. `--incremental` asks for the last year
    again, and for a whole series where that has changed, as each dividend changes adjusted closes; to go from
    --adjusted to --raw or back, leave it out once.
    """
    from export.data.destination import check_destination, write_prices
    from export.data.price_jumps import suspected_splits
    from export.data.yahoo.download import TickerFailed, fetch
    from export.data.yahoo.stored import read_stored
    from export.data.yahoo.update import series_of, table_of, update

    wanted = _tickers(tickers)
    first, last = _days(start, end)
    check_destination(out)
    series = series_of(*read_stored(out, volume=volume)) if incremental else {}
    outcomes: list[Outcome] = []
    stopped: BaseException | None = None
    ask = partial(fetch, adjusted=adjusted, say=say)
    try:
        with progress_bar() as bar:
            task = bar.add_task("Yahoo", total=len(wanted))
            for outcome, history in update(series, wanted, ask, start=first, end=last, skip_bad=skip_bad):
                outcomes.append(outcome)
                if history is not None:
                    series[outcome.ticker] = history
                bar.advance(task)
    except (InputError, KeyboardInterrupt) as error:
        if not incremental or not outcomes or isinstance(error, TickerFailed):
            _stop(error)
        stopped = error  # what is whole is kept
    skipped = [str(outcome.note) for outcome in outcomes if outcome.done == "skipped"]
    if len(skipped) == len(outcomes):
        raise InputError(f"every ticker was skipped; the first: {skipped[0]}")
    prices, volumes = table_of(series)
    splits = suspected_splits(prices.ids, prices.starts, prices.ds, prices.y)
    is_new = any(outcome.done not in ("unchanged", "skipped") for outcome in outcomes)
    if is_new:
        write_prices(prices, out, volumes if volume else None)
    if json:
        print_json(
            {
                "out": out,
                "written": is_new,
                "series": len(prices.ids),
                "rows": len(prices),
                "tickers": [dataclasses.asdict(outcome) for outcome in outcomes],
                "suspected_splits": splits,
            }
        )
    else:
        say_notes((*(f"skipped, {note}" for note in skipped), *splits))
        _show(outcomes)
        state = f"wrote {out}" if is_new else f"{out} is up to date, and was left as it is"
        say(f"{state}: {len(prices.ids):,} series, {len(prices):,} closes")
    if stopped is not None:
        _stop(stopped, f"{len(outcomes)} of {len(wanted)} tickers are done and kept")


def _stop(error: BaseException, kept: str | None = None) -> NoReturn:
    """End the command on what stops every ticker, or on Ctrl-C."""
    if isinstance(error, InputError):
        raise InputError(f"{error}; {kept}") if kept else error
    say(f"\ninterrupted; {kept or 'nothing was written'}")
    raise typer.Exit(130) from None


def _tickers(given: list[str]) -> list[str]:
    """In capitals, as Yahoo has them, each once."""
    tickers = list(dict.fromkeys(ticker.strip().upper() for ticker in given))
    for ticker in tickers:
        if not re.fullmatch(r"[A-Z0-9.^=&$_-]{1,40}", ticker):
            raise InputError(f"{ticker!r} is not a ticker of Yahoo's, such as PETR4.SA; put a space between two")
    return tickers


def _days(start: str | None, end: str | None) -> tuple[datetime.date | None, datetime.date]:
    today = datetime.date.today()
    first = day_option("--start", start) if start is not None else None
    last = day_option("--end", end) if end is not None else today + _DAY  # east of here it may be tomorrow already
    if first and end is not None and first > last:
        raise InputError(f"--start {first} is after --end {last}")
    if first and first > today:
        raise InputError(f"--start {first} is in the future")
    return first, last


def _show(outcomes: list[Outcome]) -> None:
    """Print the outcome of each ticker, or counts where they are many."""
    if len(outcomes) > _LISTED:
        counts = Counter(outcome.done for outcome in outcomes)
        screen.print(", ".join(f"{count:,} {done}" for done, count in counts.most_common()))
        return
    width = max(len(outcome.ticker) for outcome in outcomes)
    for outcome in outcomes:
        line = f"{outcome.ticker:{width}}  {outcome.done:9}  {outcome.added:,} new of {outcome.rows:,} closes"
        if outcome.rows:
            line += f", {outcome.first} to {outcome.last}"
        if outcome.done == "refetched":
            line += f"; {outcome.note}"
        screen.print(line)
