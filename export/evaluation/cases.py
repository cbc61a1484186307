"""Forecast cases (one series at one cutoff, in log returns since it) and the folds in which methods are refitted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

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
        """Count the cases."""
        return len(self.rows)

    @property
    def horizon(self) -> int:
        """Count the steps ahead."""
        return int(self.returns.shape[1])

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Cases:
        """Select cases by mask or position."""
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
    """One method's forecasts of all cases, in log returns since the cutoff."""

    median: Array  # (cases, horizon)
    quantiles: Array | None = None  # (cases, horizon, levels), rising; None for a method that says one number


def cases_of(prices: Prices, window: int, horizon: int, first: np.datetime64) -> Cases:
    """Build the cases with a cutoff on or after `first` that have a history, `window` closes and `horizon` later ones.

    Raises `InputError` when there is none.
    """
    history = max(MINIMUM_HISTORY, window + 1)
    by_series = []
    for start, end in zip(prices.starts[:-1], prices.starts[1:], strict=True):
        rows = np.arange(start + history - 1, end - horizon, dtype=np.int64)
        by_series.append(rows[prices.ds[rows] >= first])
    rows = np.concatenate(by_series)
    if not len(rows):
        raise InputError(
            f"no case is left: a series needs {history} closes, a cutoff from {first} on, and {horizon} closes after it"
        )
    log = np.log(prices.y)
    returns = log[rows[:, None] + np.arange(1, horizon + 1)] - log[rows, None]
    daily = np.diff(log[rows[:, None] + np.arange(-TRAILING, 1)], axis=1)  # (cases, TRAILING)
    return Cases(prices.ids, prices.owners()[rows], rows, prices.ds[rows], returns, daily.std(axis=1))


@dataclasses.dataclass(frozen=True)
class Fold:
    """A stretch of sessions that is forecast by methods fitted on what came before it."""

    known_until: np.datetime64  # the last session whose closes a fit may use: the one of the first cutoff
    cases: NDArray[np.int64]  # positions among the cases


def folds_of(prices: Prices, cases: Cases, refit_every: int) -> list[Fold]:
    """Cut cases into folds: one for each `refit_every` sessions of the table that hold a cutoff, oldest first.

    A fit may use every close up to the first cutoff of its fold, and targets that had ended by then. Raises
    `InputError` for a stretch without a session.
    """
    if refit_every < 1:
        raise InputError(f"--refit-every: {refit_every} is no number of sessions")
    sessions = np.unique(prices.ds[prices.ds >= cases.cutoffs.min()])
    turn = np.searchsorted(sessions, cases.cutoffs) // refit_every  # (cases,)
    return [Fold(sessions[number * refit_every], np.flatnonzero(turn == number)) for number in np.unique(turn)]


def cut_folds(folds: Sequence[Fold], which: NDArray[np.int64]) -> list[Fold]:
    """Cut folds to `cases.take(which)`, `which` rising: the same `known_until`, so that every fit stays the same."""
    cut = []
    for fold in folds:
        kept = np.flatnonzero(np.isin(which, fold.cases))
        if len(kept):
            cut.append(Fold(fold.known_until, kept))
    return cut
