"""Checks against a calendar: sessions without a row, rows on closed days, series that ended early."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from export.data.audit.findings import Finding, Runs, make_findings, runs_of
from export.data.audit.row_checks import DailyRows, repetition

WEEKDAYS = ("Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday")  # from 1970-01-01 on
# Weekends of a stock under a calendar that never closes, Sunday evenings of a currency. In fewer weeks than these,
# chance alone makes such runs out of a gappy series.
_WEEKS = 8
_SHORT = 6  # days: a longer run is an absence of its own, and no part of a weekly one


@dataclasses.dataclass(frozen=True, eq=False)
class Faults:
    """Runs of days at fault, where `first` and `last` are positions in a list of days; all arrays are (runs,)."""

    owners: NDArray[np.int64]  # the series of each
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    counts: NDArray[np.int64]  # days


@dataclasses.dataclass(frozen=True, eq=False)
class OpenDays:
    """A calendar over the days from the first to the last row of some series."""

    sessions: NDArray[np.datetime64]  # (sessions,)
    closed: NDArray[np.datetime64]  # (closed days,)
    is_open: NDArray[np.bool_]  # (rows,) whether a row's day is a session
    before: NDArray[np.int64]  # (rows,) how many of the sessions lie before a row's day
    number: NDArray[np.int64]  # (rows,) how many days of either kind do


def calendar_findings(
    rows: DailyRows, sessions: NDArray[np.datetime64], null_days: Mapping[str, NDArray[np.datetime64]]
) -> Iterator[Finding]:
    """Sessions without a row between the first and the last row of each series, and rows on closed days.

    `sessions` are the calendar's from the first to the last day of any of these rows. `null_days`, those of
    `RawPrices`, tell days that the source has without a price from days it lacks.
    """
    ds = rows.prices.ds
    start = ds.min()
    days = np.arange(start, ds.max() + 1)
    open_days = np.zeros(len(days), dtype=bool)
    open_days[(sessions - start).astype(np.int64)] = True
    number = (ds - start).astype(np.int64)
    before = np.cumsum(open_days) - open_days
    calendar = OpenDays(sessions, days[~open_days], open_days[number], before[number], number)
    yield from _missing(rows, calendar, null_days)
    yield from _closed(rows, calendar)


def ended_early(
    ids: Sequence[str], lasts: NDArray[np.datetime64], sessions: NDArray[np.datetime64], most: int
) -> Iterator[Finding]:
    """Series whose last day (series,) is followed by more than `most` sessions up to the latest of these days.

    `sessions` are the calendar's from the earliest to the latest of the last days.
    """
    latest = int(lasts.argmax())
    position = np.searchsorted(sessions, lasts, side="right")
    absent = len(sessions) - position
    early = np.flatnonzero(absent > most)
    details = [f"{ids[latest]} goes on to {lasts[latest]}"] * len(early)
    first, last = sessions[position[early]], np.repeat(sessions[-1:], len(early))
    yield from make_findings("ended-early", ids, early, first, last, absent[early], details)


def _missing(rows: DailyRows, calendar: OpenDays, null_days: Mapping[str, NDArray[np.datetime64]]) -> Iterator[Finding]:
    weekly, faults = _part_weekly(_gaps(rows, calendar), calendar.sessions)
    nulls = _nulls_in(faults, rows.prices.ids, calendar.sessions, null_days)
    details = [
        "no row" if not null else f"{null} of {count} are null rows" if null < count else "null row" + "s" * (count > 1)
        for count, null in zip(faults.counts.tolist(), nulls.tolist(), strict=True)
    ]
    yield from _findings("missing-session", rows, calendar.sessions, faults, details)
    details = [f"each {_weekday(calendar.sessions, day)}" for day in weekly.first]
    yield from _findings("missing-session", rows, calendar.sessions, weekly, details)


def _gaps(rows: DailyRows, calendar: OpenDays) -> Faults:
    """The runs of sessions between two rows of one series."""
    # A row on a closed day inside a gap must not part it in two; at the ends of a series it does bound it.
    ends = ~rows.joined | np.append(~rows.joined[1:], True)
    kept = np.flatnonzero(calendar.is_open | ends)
    before, after = calendar.before[kept], calendar.before[kept] + calendar.is_open[kept]
    absent = np.where(rows.joined[kept], before - np.roll(after, 1), 0)  # (kept,) sessions since the row before
    at = np.flatnonzero(absent)
    return Faults(rows.owners[kept[at]], after[at - 1], before[at] - 1, absent[at])


def _part_weekly(gaps: Faults, sessions: NDArray[np.datetime64]) -> tuple[Faults, Faults]:
    """Weekly runs out of the short gaps, and what is left of all gaps."""
    # Gaps stay runs unless short: a table of far dates has more missing sessions than fit in memory.
    short = gaps.counts <= _SHORT
    lengths = gaps.counts[short]
    owners = np.repeat(gaps.owners[short], lengths)  # (missing sessions in short gaps,)
    positions = np.repeat(gaps.last[short] - np.cumsum(lengths) + 1, lengths) + np.arange(len(owners))
    weekly, taken = _weekly_runs(owners, positions, sessions)
    owners, positions = owners[~taken], positions[~taken]
    follows = np.diff(positions, prepend=-2) == 1
    follows[1:] &= owners[1:] == owners[:-1]
    rest = runs_of(np.ones(len(owners), dtype=bool), follows)
    left = Faults(
        np.concatenate([gaps.owners[~short], owners[rest.first]]),
        np.concatenate([gaps.first[~short], positions[rest.first]]),
        np.concatenate([gaps.last[~short], positions[rest.last]]),
        np.concatenate([gaps.counts[~short], rest.last - rest.first + 1]),
    )
    return weekly, left


def _closed(rows: DailyRows, calendar: OpenDays) -> Iterator[Finding]:
    at = np.flatnonzero(~calendar.is_open)  # (faults,) rows on closed days
    position = calendar.number[at] - calendar.before[at]  # in calendar.closed

    def runs_among(chosen: NDArray[np.int64]) -> Runs:
        """Runs of rows of one series without a session in between; positions in `chosen` (rows,)."""
        follows = np.zeros(len(chosen), dtype=bool)
        follows[1:] = (rows.owners[chosen[1:]] == rows.owners[chosen[:-1]]) & (
            calendar.before[chosen[1:]] == calendar.before[chosen[:-1]]
        )
        return runs_of(np.ones(len(chosen), dtype=bool), follows)

    runs = runs_among(at)
    lengths = runs.last - runs.first + 1
    short = np.flatnonzero(np.repeat(lengths <= _SHORT, lengths))
    weekly, taken = _weekly_runs(rows.owners[at[short]], position[short], calendar.closed)
    rest = np.delete(np.arange(len(at)), short[taken])
    runs = runs_among(at[rest])
    first, last = rest[runs.first], rest[runs.last]
    faults = Faults(rows.owners[at[first]], position[first], position[last], runs.last - runs.first + 1)
    repeated = runs.totals(rows.repeats[at[rest]])
    details = [
        f"{name}, {words}"
        if count == 1 and (name := _weekday(calendar.closed, day)) in ("Saturday", "Sunday")
        else words
        for day, count, words in zip(faults.first, faults.counts, repetition(faults.counts, repeated), strict=True)
    ]
    yield from _findings("closed-day", rows, calendar.closed, faults, details)
    details = [f"each closed {_weekday(calendar.closed, day)}" for day in weekly.first]
    yield from _findings("closed-day", rows, calendar.closed, weekly, details)


def _findings(
    kind: str, rows: DailyRows, days: NDArray[np.datetime64], faults: Faults, details: list[str]
) -> Iterator[Finding]:
    first, last = days[faults.first], days[faults.last]
    return make_findings(kind, rows.prices.ids, faults.owners, first, last, faults.counts, details)


def _weekday(days: NDArray[np.datetime64], position: np.int64) -> str:
    return WEEKDAYS[int(days[position].astype(np.int64)) % 7]


def _nulls_in(
    faults: Faults,
    ids: Sequence[str],
    sessions: NDArray[np.datetime64],
    null_days: Mapping[str, NDArray[np.datetime64]],
) -> NDArray[np.int64]:
    """Count the missing sessions of each run (runs,) that stand in the files without a price."""
    stride = len(sessions) + 1
    keys = [np.empty(0, dtype=np.int64)]  # series and position of each null row on a session, ascending
    for owner, unique_id in enumerate(ids):
        if unique_id in null_days:
            days = np.intersect1d(null_days[unique_id], sessions)
            keys.append(owner * stride + np.searchsorted(sessions, days))
    known = np.concatenate(keys)
    until = np.searchsorted(known, faults.owners * stride + faults.last, side="right")
    return until - np.searchsorted(known, faults.owners * stride + faults.first)


def _weekly_runs(
    owners: NDArray[np.int64], positions: NDArray[np.int64], days: NDArray[np.datetime64]
) -> tuple[Faults, NDArray[np.bool_]]:
    """Faults on every such weekday of `days`, at least eight on end; and which faults (faults,) they take up.

    A fault is the series `owners` (faults,) at `positions` (faults,) in `days`, none of them twice.
    """
    numbers = _numbers(days)
    keys = owners * (numbers.max(initial=0) + 2) + numbers[positions]
    order = np.argsort(keys)
    follows = np.diff(keys[order], prepend=-2) == 1
    runs = runs_of(np.ones(len(keys), dtype=bool), follows)
    lengths = runs.last - runs.first + 1
    long = lengths >= _WEEKS
    taken = np.zeros(len(keys), dtype=bool)
    taken[order[np.repeat(long, lengths)]] = True
    first, last = order[runs.first[long]], order[runs.last[long]]
    return Faults(owners[first], positions[first], positions[last], lengths[long]), taken


def _numbers(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """(days,) a number for each day: one more than that of the same weekday before it, and no other's neighbour."""
    numbers = np.empty(len(days), dtype=np.int64)
    weekdays = days.astype(np.int64) % 7
    for weekday in range(7):
        same = np.flatnonzero(weekdays == weekday)
        numbers[same] = weekday * (len(days) + 1) + np.arange(len(same))
    return numbers
