"""Bring each ticker up to date: choose the days to request from Yahoo, and join the answer to the stored series."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from export.data.price_table import Prices, make_prices
from export.data.yahoo.download import History, NoPrices, TickerFailed

EARLIEST = datetime.date(1950, 1, 1)  # asked for where no start is named; B3's closes begin in 2000

# Sessions that are asked for again, to learn whether what is stored still holds. A dividend after the last of
# them changes every one. A year, because a dividend told late changes only the days before it, and because
# Yahoo counts questions and not rows: a year is 4% of the bytes of 25 years.
_OVERLAP = 250
# Yahoo's adjusted closes are 4-byte floats, and differ by 2e-7 of themselves from one answer to the next
# (yfinance #1038); the smallest dividends that B3's companies pay are near 4e-4 of the price.
_SAME = 1e-5
# Stored days amid others that Yahoo may take back; of more, or of the first or the last, its answer is cut short.
_MAY_VANISH = 5


Done = Literal["fetched", "appended", "refetched", "unchanged", "skipped"]


class Ask(Protocol):
    """Fetches closes, as `yahoo.fetch` does with its settings filled in."""

    def __call__(self, ticker: str, start: datetime.date, end: datetime.date) -> History:
        """The closes from `start` to `end`, both included; raises `TickerFailed`."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result for one ticker; the fields are those of --json."""

    ticker: str
    done: Done
    rows: int  # closes of it in the table now
    added: int  # of them not there before
    first: str | None = None  # YYYY-MM-DD
    last: str | None = None
    note: str | None = None  # why it was fetched again or skipped


def update(
    stored: Mapping[str, History],
    tickers: Iterable[str],
    ask: Ask,
    *,
    start: datetime.date | None,
    end: datetime.date,
    skip_bad: bool = False,
) -> Iterator[tuple[Outcome, History | None]]:
    """Each ticker's outcome, with its whole series as it is to be stored from now on, or None where it has none.

    A ticker that is not in `stored` is fetched from `start`; of another only the last year and what is new
    is asked for, unless its history has changed or `start` is earlier than what is stored.
    Raises `TickerFailed` for the first ticker that fails; with `skip_bad` it keeps what it had.
    """
    for ticker in tickers:
        held = stored.get(ticker)
        try:
            series, done, note = _bring_up(ticker, held, ask, start, end)
            yield _outcome(ticker, held, series, done, note), series
        except TickerFailed as error:
            if not skip_bad:
                raise
            yield _outcome(ticker, held, held, "skipped", str(error)), held


def table_of(series: Mapping[str, History]) -> tuple[Prices, NDArray[np.int64]]:
    """The series as one table, and the volume of each of its rows: (rows,)."""
    prices = make_prices({ticker: (history.ds, history.y) for ticker, history in series.items()})
    volumes = [np.zeros(0, np.int64), *(series[ticker].volume for ticker in prices.ids)]
    return prices, np.concatenate(volumes)


def series_of(prices: Prices, volume: NDArray[np.int64]) -> dict[str, History]:
    """Split a table into its series: the inverse of `table_of`."""
    rows = [slice(*bounds) for bounds in zip(prices.starts[:-1], prices.starts[1:], strict=True)]
    return {
        ticker: History(prices.ds[part], prices.y[part], volume[part])
        for ticker, part in zip(prices.ids, rows, strict=True)
    }


def _bring_up(
    ticker: str, held: History | None, ask: Ask, start: datetime.date | None, end: datetime.date
) -> tuple[History, Done, str | None]:
    if held is None:
        return ask(ticker, start or EARLIEST, end), "fetched", None
    first, last = held.ds[0].item(), held.ds[-1].item()
    end = max(end, last)
    since = start if start and start < first else held.ds[-_OVERLAP:][0].item()
    try:
        answer = ask(ticker, since, end)
    except NoPrices:  # not of days it had; the whole series tells whether it has any
        if since <= first:
            raise
        answer = held.where(np.zeros(len(held), bool))
    change = _first_change(held.where(held.ds >= np.datetime64(since)), answer, first, last)
    if change is None:
        whole = _joined(held, answer)
        return whole, "appended" if len(whole) > len(held) else "unchanged", None
    if since > first:
        answer = ask(ticker, first, end)
    gone = np.setdiff1d(held.ds, answer.ds)
    at_an_end = len(gone) and (gone[0] < answer.ds[0] or gone[-1] > answer.ds[-1])
    if len(gone) > _MAY_VANISH or at_an_end:
        raise TickerFailed(
            f"{ticker}: Yahoo no longer has {len(gone):,} of the {len(held):,} days stored, from {gone[0]} on; "
            "leave out --incremental to take what it has"
        )
    return answer, "refetched", change + (f" ({len(gone)} days are no longer there)" if len(gone) else "")


def _first_change(held: History, answer: History, first: datetime.date, last: datetime.date) -> str | None:
    """The first difference between what is stored and what Yahoo says of the same days, in words."""
    answer = answer.where((answer.ds >= np.datetime64(first)) & (answer.ds <= np.datetime64(last)))
    strangers = np.setxor1d(held.ds, answer.ds)
    if len(strangers):
        day = strangers[0]
        return f"{day} is gone" if day in held.ds else f"{day} is new"
    differs = np.flatnonzero(np.abs(answer.y / held.y - 1) > _SAME)
    if not len(differs):
        return None
    at = differs[0]
    return f"the close of {held.ds[at]} was {held.y[at]:.6g} and is {answer.y[at]:.6g}"


def _joined(held: History, answer: History) -> History:
    """Join the stored series with the days before and after it from the answer."""
    before, after = answer.where(answer.ds < held.ds[0]), answer.where(answer.ds > held.ds[-1])
    parts = (before, held, after)
    return History(
        np.concatenate([part.ds for part in parts]),
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.volume for part in parts]),
    )


def _outcome(ticker: str, held: History | None, series: History | None, done: Done, note: str | None) -> Outcome:
    if series is None:
        return Outcome(ticker, done, 0, 0, note=note)
    new = series.ds if held is None else np.setdiff1d(series.ds, held.ds)
    return Outcome(ticker, done, len(series), len(new), str(series.ds[0]), str(series.ds[-1]), note)
