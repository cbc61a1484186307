"""Check for look-ahead bias: other closes after a day must leave every forecast up to that day as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from export.data.prices import Prices
from export.errors import GateRefused
from export.evaluation.cases import Cases, Forecast

DAYS_TRIED = 3  # at which the future is exchanged
CASES_TRIED = 256  # the last ones up to each of them


def refuse_look_ahead(name: str, forecast: Callable[[Prices, Cases], Forecast], prices: Prices, cases: Cases) -> None:
    """Raise `GateRefused` when a forecast changes with closes that came after its cutoff.

    The closes after a day are exchanged for a made random walk; of the cases up to that day the last ones are forecast.
    """
    cutoffs = np.unique(cases.cutoffs)
    for day in cutoffs[np.linspace(0, len(cutoffs) - 1, DAYS_TRIED + 2).astype(int)[1:-1]]:
        known = np.flatnonzero(cases.cutoffs <= day)
        last = cases.take(known[np.argsort(cases.cutoffs[known], kind="stable")[-CASES_TRIED:]])
        last = dataclasses.replace(last, returns=np.full_like(last.returns, np.nan))  # nor are the targets given
        before = forecast(prices, last)
        after = forecast(_other_future(prices, day), last)
        for one, other in ((before.median, after.median), (before.quantiles, after.quantiles)):
            if one is None or other is None:
                continue
            if not np.isfinite(one).all():
                raise GateRefused(f"{name} says no number of a case on {day} or before")
            if not np.array_equal(one, other):
                raise GateRefused(f"{name} looks ahead: closes after {day} change what it said on {day} or before")


def _other_future(prices: Prices, day: np.datetime64) -> Prices:
    later = prices.ds > day
    shocks = np.random.default_rng(0).normal(0.0, 0.05, int(later.sum()))
    y = prices.y.copy()
    y[later] *= np.exp(np.cumsum(shocks) % 3.0)
    return dataclasses.replace(prices, y=y)
