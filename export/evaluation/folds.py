"""Cuts cases into folds: what a fold's methods are fitted on ends before its first cutoff."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from export.data.prices import Prices
from export.evaluation.cases import Cases


@dataclasses.dataclass(frozen=True)
class Fold:
    """A stretch of sessions that is forecast by methods fitted on what came before it."""

    known_until: np.datetime64  # the last session whose closes a fit may use: the one of the first cutoff
    cases: NDArray[np.int64]  # positions among the cases


def folds_of(prices: Prices, cases: Cases, refit_every: int) -> list[Fold]:
    """One fold for each `refit_every` sessions of the table that hold a cutoff, oldest first.

    A fit may use every close up to the first cutoff of its fold, and targets that had ended by then.
    """
    sessions = np.unique(prices.ds[prices.ds >= cases.cutoffs.min()])
    turn = np.searchsorted(sessions, cases.cutoffs) // refit_every  # (cases,)
    return [Fold(sessions[number * refit_every], np.flatnonzero(turn == number)) for number in np.unique(turn)]
