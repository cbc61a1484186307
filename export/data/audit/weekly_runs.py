"""Finds what happens on one weekday for weeks on end: one cause, hence one finding instead of hundreds."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from export.data.audit.findings import runs_of

WEEKDAYS = ("Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday")  # from 1970-01-01 on
# Weekends of a stock under a calendar that never closes, Sunday evenings of a currency. In fewer weeks than these,
# chance alone makes such runs out of a gappy series.
_WEEKS = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Faults:
    """Runs of days at fault, where `first` and `last` are positions in a list of days; all arrays are (runs,)."""

    owners: NDArray[np.int64]  # the series of each
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    counts: NDArray[np.int64]  # days


def weekly_runs(
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
