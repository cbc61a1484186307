"""Checks of rows by themselves: repeated days, jumps, stale closes, days without a trade."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from export.data.audit.findings import Finding, Runs, make_findings, runs_of
from export.data.audit.raw_prices import RawPrices
from export.data.price_jumps import split_like_jumps
from export.data.price_table import Prices, starts_of


@dataclasses.dataclass(frozen=True, eq=False)
class DailyRows:
    """Each day of each series once, as it stands first in the files; all arrays are (rows,)."""

    prices: Prices
    owners: NDArray[np.int64]  # positions in prices.ids
    joined: NDArray[np.bool_]  # whether the row before is of the same series
    repeats: NDArray[np.bool_]  # whether the close is that of the row before
    volume: NDArray[np.float64] | None  # NaN where unknown

    def only(self, kept: NDArray[np.bool_]) -> DailyRows:
        """The same rows of some series alone: `kept` (series,)."""
        if kept.all():
            return self
        rows, lengths = kept[self.owners], np.diff(self.prices.starts)
        ids = tuple(unique_id for unique_id, keep in zip(self.prices.ids, kept, strict=True) if keep)
        prices = Prices(ids, starts_of(lengths[kept]), self.prices.ds[rows], self.prices.y[rows])
        volume = None if self.volume is None else self.volume[rows]
        return DailyRows(prices, prices.owners(), self.joined[rows], self.repeats[rows], volume)

    def findings(self, kind: str, runs: Runs, counts: NDArray[np.int64], details: list[str]) -> Iterator[Finding]:
        """A finding for each run."""
        ds, owners = self.prices.ds, self.owners[runs.first]
        yield from make_findings(kind, self.prices.ids, owners, ds[runs.first], ds[runs.last], counts, details)


def daily_rows(raw: RawPrices) -> tuple[DailyRows, list[Finding]]:
    """Keep the first row of each day, and report the days that stood more than once."""
    prices, volume = raw.prices, raw.volume
    owners = prices.owners()
    again = np.zeros(len(prices), dtype=bool)  # (rows as they stand,) whether the day is that of the row before
    again[1:] = (owners[1:] == owners[:-1]) & (prices.ds[1:] == prices.ds[:-1])
    if not again.any():
        return _joined(prices, owners, volume), []
    kept = np.flatnonzero(~again)
    starts = starts_of((~again).astype(np.int64))[prices.starts]
    once = dataclasses.replace(prices, starts=starts, ds=prices.ds[kept], y=prices.y[kept])
    rows = _joined(once, owners[kept], None if volume is None else volume[kept])
    return rows, list(_duplicates(rows, prices.y, kept, again))


def split_like(rows: DailyRows) -> Iterator[Finding]:
    """Jumps to a simple multiple or fraction of the close before; a jump there and back is one finding."""
    y, jumps = rows.prices.y, split_like_jumps(rows.prices.starts, rows.prices.y)
    near = dict(zip(jumps.rows.tolist(), jumps.near, strict=True))
    runs = runs_of(_marks(len(y), jumps.rows), rows.joined)
    details = []
    for first, last in zip(runs.first.tolist(), runs.last.tolist(), strict=True):
        shown = [f"{y[row - 1]:g} → {y[row]:g}, near {near[row]}" for row in range(first, min(last + 1, first + 3))]
        details.append("; ".join(shown) + "; …" * (last - first > 2))
    yield from rows.findings("split-like", runs, runs.last - runs.first + 1, details)


def stale(rows: DailyRows, least: int) -> Iterator[Finding]:
    """At least `least` rows in a row with the very same close."""
    runs = runs_of(rows.repeats, rows.joined)
    long = runs.last - runs.first + 2 >= least  # the row that is repeated counts as well
    runs = Runs(runs.first[long] - 1, runs.last[long])
    details = [f"close {close:g}" for close in rows.prices.y[runs.first].tolist()]
    yield from rows.findings("stale", runs, runs.last - runs.first + 1, details)


def zero_volume(rows: DailyRows) -> Iterator[Finding]:
    """Rows on which nothing was traded."""
    if rows.volume is None:
        return
    runs = runs_of(rows.volume == 0, rows.joined)
    counts = runs.last - runs.first + 1
    yield from rows.findings("zero-volume", runs, counts, repetition(counts, runs.totals(rows.repeats)))


def repetition(counts: NDArray[np.int64], repeated: NDArray[np.int64]) -> list[str]:
    """In words, on how many of `counts` (findings,) days the close is that of the row before."""
    return [
        "close unchanged" if same == count else f"close unchanged on {same} of {count}" if same else "close changed"
        for count, same in zip(counts.tolist(), repeated.tolist(), strict=True)
    ]


def _joined(prices: Prices, owners: NDArray[np.int64], volume: NDArray[np.float64] | None) -> DailyRows:
    joined = np.ones(len(prices), dtype=bool)
    joined[prices.starts[:-1]] = False
    repeats = np.zeros(len(prices), dtype=bool)
    repeats[1:] = joined[1:] & (prices.y[1:] == prices.y[:-1])
    return DailyRows(prices, owners, joined, repeats, volume)


def _duplicates(
    rows: DailyRows, y: NDArray[np.float64], kept: NDArray[np.int64], again: NDArray[np.bool_]
) -> Iterator[Finding]:
    """Runs of days that stand more than once; `y` and `again` are of all rows, `kept` the first row of each day."""
    times = np.diff(kept, append=len(again))  # (days,) rows of each day
    differs = np.zeros(len(again), dtype=bool)
    differs[1:] = again[1:] & (y[1:] != y[:-1])
    other = np.flatnonzero(differs)  # rows at another price than the row before
    clashes = np.searchsorted(kept, other, side="right") - 1  # the day of each
    runs = runs_of(times > 1, rows.joined)
    counts = runs.last - runs.first + 1
    conflicts = runs.totals(_marks(len(kept), clashes))
    details = []
    columns = (column.tolist() for column in (runs.first, runs.last, counts, conflicts))
    for first, last, count, conflicted in zip(*columns, strict=True):
        if not conflicted:
            fewest, most = times[first : last + 1].min(), times[first : last + 1].max()
            details.append("up to " * bool(fewest < most) + f"{most} equal rows" + " a day" * (count > 1))
            continue
        at = np.searchsorted(clashes, first)
        where = "" if count == 1 else f"{conflicted} of {count} days differ, {rows.prices.ds[clashes[at]]}: "
        details.append(f"{where}{y[other[at] - 1]:g} and {y[other[at]]:g}")
    yield from rows.findings("duplicate", runs, counts, details)


def _marks(length: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    marks = np.zeros(length, dtype=bool)
    marks[rows] = True
    return marks
