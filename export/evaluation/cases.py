"""What is forecast and what came: one case is a series at a cutoff, in log returns since that cutoff."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from export.data.prices import Prices
from export.errors import InputError

Array = NDArray[np.float64]

TRAILING = 20  # sessions, about a month: the volatility known at a cutoff, by which cases are sorted into terciles
MINIMUM_HISTORY = 250  # closes before a series' first case, about a year: baselines are fitted on them


@dataclasses.dataclass(frozen=True)
class Cases:
    """Every series at every cutoff that is judged, ordered by series, then cutoff."""

    ids: tuple[str, ...]  # (series,) of the price table
    owners: NDArray[np.int64]  # (cases,) which of them
    rows: NDArray[np.int64]  # (cases,) the cutoff's row in the price table
    cutoffs: NDArray[np.datetime64]  # (cases,) datetime64[D]
    returns: Array  # (cases, horizon) ln(close `step` rows later / close at the cutoff)
    trailing: Array  # (cases,) standard deviation of the last TRAILING daily log returns up to the cutoff

    def __len__(self) -> int:
        """How many cases."""
        return len(self.rows)

    @property
    def horizon(self) -> int:
        """Steps ahead."""
        return int(self.returns.shape[1])

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Cases:
        """These cases alone."""
        return dataclasses.replace(
            self,
            owners=self.owners[which],
            rows=self.rows[which],
            cutoffs=self.cutoffs[which],
            returns=self.returns[which],
            trailing=self.trailing[which],
        )


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What one method says of all cases, in log returns since the cutoff."""

    median: Array  # (cases, horizon)
    quantiles: Array | None = None  # (cases, horizon, levels), rising; None for a method that says one number


def cases_of(prices: Prices, window: int, horizon: int, first: np.datetime64) -> Cases:
    """The cases with a cutoff on or after `first` that have a history, `window` closes and `horizon` later ones.

    Raises `InputError` when there is none.
    """
    history = max(MINIMUM_HISTORY, window + 1)
    found = []
    for start, end in zip(prices.starts[:-1], prices.starts[1:], strict=True):
        rows = np.arange(start + history - 1, end - horizon, dtype=np.int64)
        found.append(rows[prices.ds[rows] >= first])
    rows = np.concatenate(found)
    if not len(rows):
        raise InputError(
            f"no case is left: a series needs {history} closes, a cutoff from {first} on, and {horizon} closes after it"
        )
    log = np.log(prices.y)
    returns = log[rows[:, None] + np.arange(1, horizon + 1)] - log[rows, None]
    daily = np.diff(log[rows[:, None] + np.arange(-TRAILING, 1)], axis=1)  # (cases, TRAILING)
    return Cases(prices.ids, prices.owners()[rows], rows, prices.ds[rows], returns, daily.std(axis=1))
