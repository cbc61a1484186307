"""Baselines without a fitted model: naive, drift, and quantiles of past returns with and without EWMA volatility."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from export.data.prices import Prices
from export.evaluation.cases import MINIMUM_HISTORY, Array, Cases, Fold, Forecast

DECAY = 0.94  # of daily variance: J.P. Morgan/Reuters, RiskMetrics Technical Document, 4th ed. (1996), section 5.3
WARM_UP = 20  # returns whose mean square starts the recursion
SIGMA_FLOOR = 1e-4  # daily volatility below which a series stands still


@dataclasses.dataclass(frozen=True)
class Stretch:
    """The cases of one series in one fold."""

    cases: NDArray[np.int64]  # (stretch,) positions among the cases
    cutoffs: NDArray[np.int64]  # (stretch,) their rows, counted from the first close of the series
    known: int  # how many closes of the series, from its first, a fit may use


def stretches_of(prices: Prices, cases: Cases, folds: Sequence[Fold]) -> Iterator[tuple[Array, list[Stretch]]]:
    """Yield of each series with cases the logarithms of its closes (closes,) and its stretches in the order of `folds`.

    A fit may use the closes up to the fold's `known_until`; for a series so new that these are fewer than
    `MINIMUM_HISTORY`, its first `MINIMUM_HISTORY` closes, which all its cutoffs have behind them.
    """
    for owner in np.unique(cases.owners):
        rows = slice(int(prices.starts[owner]), int(prices.starts[owner + 1]))
        stretches = []
        for fold in folds:
            own = fold.cases[cases.owners[fold.cases] == owner]
            if len(own):
                known = int(np.searchsorted(prices.ds[rows], fold.known_until, side="right"))
                stretches.append(Stretch(own, cases.rows[own] - rows.start, max(known, MINIMUM_HISTORY)))
        yield np.log(prices.y[rows]), stretches


def naive(_prices: Prices, cases: Cases, _folds: Sequence[Fold], _levels: Sequence[float]) -> Forecast:
    """Forecast no change: a median of 0 at every step."""
    return Forecast(np.zeros((len(cases), cases.horizon)))


def drift(prices: Prices, cases: Cases, folds: Sequence[Fold], _levels: Sequence[float]) -> Forecast:
    """Continue the trend: step × the mean daily log return of the closes that the fold knows."""
    median = np.full((len(cases), cases.horizon), np.nan)
    for log, stretches in stretches_of(prices, cases, folds):
        for stretch in stretches:
            daily = (log[stretch.known - 1] - log[0]) / (stretch.known - 1)
            median[stretch.cases] = daily * np.arange(1, cases.horizon + 1)
    return Forecast(median)


def constant(prices: Prices, cases: Cases, folds: Sequence[Fold], levels: Sequence[float]) -> Forecast:
    """Forecast each step's empirical quantiles, of the returns over as many days that had ended by `known_until`."""
    return _empirical(prices, cases, folds, levels, np.ones_like)


def ewma(prices: Prices, cases: Cases, folds: Sequence[Fold], levels: Sequence[float]) -> Forecast:
    """Forecast volatility at the cutoff × empirical quantiles of past returns, each over the volatility at its start.

    This is filtered historical simulation (Barone-Adesi, Giannopoulos and Vosper, 1999) with `ewma_volatility`.
    """
    return _empirical(prices, cases, folds, levels, ewma_volatility)


def ewma_volatility(log_closes: Array) -> Array:
    """Estimate daily volatility at each close, its own return included: (closes,), NaN before `WARM_UP` returns.

    σ²_t = 0.94 σ²_{t-1} + 0.06 r_t² (RiskMetrics), from the mean square of the first `WARM_UP` returns on,
    and no lower than `SIGMA_FLOOR`.
    """
    squares = np.diff(log_closes) ** 2  # (closes - 1,)
    start = squares[:WARM_UP].mean()
    later, _ = lfilter([1 - DECAY], [1, -DECAY], squares[WARM_UP:], zi=[DECAY * start])
    variance = np.concatenate([np.full(WARM_UP, np.nan), [start], later])  # (closes,)
    return np.asarray(np.maximum(np.sqrt(variance), SIGMA_FLOOR))


def _empirical(
    prices: Prices,
    cases: Cases,
    folds: Sequence[Fold],
    levels: Sequence[float],
    volatility: Callable[[Array], Array],  # (closes,) log closes → (closes,), NaN at first where not known yet
) -> Forecast:
    forecast = np.full((len(cases), cases.horizon, len(levels) + 1), np.nan)  # the median stands last
    for log, stretches in stretches_of(prices, cases, folds):
        sigma = volatility(log)  # (closes,)
        first = int(np.isnan(sigma).sum())
        for step in range(1, cases.horizon + 1):
            standardised = (log[step:] - log[:-step]) / sigma[:-step]  # (closes - step,)
            for stretch in stretches:
                quantiles = np.quantile(standardised[first : stretch.known - step], [*levels, 0.5])  # (levels + 1,)
                forecast[stretch.cases, step - 1] = sigma[stretch.cutoffs, None] * quantiles
    return Forecast(forecast[..., -1], forecast[..., :-1])
