"""Forecast metrics (MAE, RMSE, pinball, WQL, CRPS, Winkler, coverage) with formula and source.

Everything is a log return since the cutoff, so that series of any price scale pool. Arrays are finite float64 of
one shape, (cases,) or (cases, steps), unless a docstring says otherwise. A measure without anything to divide by
(no case, a benchmark that is never off) is nan.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv  # type: ignore[import-untyped, unused-ignore]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Share:
    """A share of cases with its 95% binomial interval."""

    share: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Direction:
    """Share of cases with the right sign, with its 95% binomial interval."""

    share: float
    low: float
    high: float
    majority: float  # what always saying the more frequent sign of the same cases would have scored
    cases: int  # that had a sign, in the forecast and in what came


def relative_mae(actual: Array, forecast: Array, naive: Array) -> float:
    """Compute Σ|a - f| / Σ|a - n| on the same rows; below 1 is better than naive.

    RelMAE of Hyndman & Koehler (2006), "Another look at measures of forecast accuracy", section 2.4.
    """
    return _ratio(np.abs(_errors(actual, forecast)).sum(), np.abs(_errors(actual, naive)).sum())


def theils_u(actual: Array, forecast: Array, naive: Array) -> float:
    """Compute √(Σ(a - f)² / Σ(a - n)²) on the same rows; below 1 is better than naive.

    U of Theil (1966), "Applied Economic Forecasting", where naive is no change.
    """
    return math.sqrt(_ratio(np.square(_errors(actual, forecast)).sum(), np.square(_errors(actual, naive)).sum()))


def naive_scales(series: Array) -> tuple[float, float]:
    """Compute the mean absolute and mean squared one-step difference of one series, (rows,) log closes.

    The divisors of `mase` and `rmsse`: the in-sample error of naive. Give it the closes before the first cutoff alone.
    """
    steps = np.diff(series)
    return _ratio(np.abs(steps).sum(), steps.size), _ratio(np.square(steps).sum(), steps.size)


def mase(actual: Array, forecast: Array, scale: Array) -> float:
    """Average |a - f| / scale, where `scale` (cases,) is the mean absolute difference of each case's series.

    MASE of Hyndman & Koehler (2006), section 3. Series that never moved have no scale and are left out.
    """
    return _scaled(np.abs(_errors(actual, forecast)), scale)


def rmsse(actual: Array, forecast: Array, scale: Array) -> float:
    """Compute √ of the mean of (a - f)² / scale, `scale` (cases,) the mean squared difference of each case's series.

    RMSSE of the M5 competition (Makridakis, Spiliotis & Assimakopoulos 2022), which it equals on one series; many are
    pooled under the root, not averaged after it. Series that never moved are left out.
    """
    return math.sqrt(_scaled(np.square(_errors(actual, forecast)), scale))


def r2_of_returns(actual: Array, forecast: Array, benchmark: Array) -> float:
    """Compute 1 - Σ(a - f)² / Σ(a - b)²; above 0 is better than the benchmark.

    Out-of-sample R² of Campbell & Thompson (2008), "Predicting excess stock returns out of sample", whose benchmark
    is the historical mean return. On price levels any forecast would score near 1.
    """
    return 1 - _ratio(np.square(_errors(actual, forecast)).sum(), np.square(_errors(actual, benchmark)).sum())


def direction(actual: Array, forecast: Array) -> Direction:
    """Measure how often the sign of the return was right; cases where either is 0 are left out.

    The interval takes cases as independent; series that move together and overlapping steps are not, so that it is
    too narrow for pooled cases: see `significance.ratio_interval`.
    """
    assert actual.shape == forecast.shape, (actual.shape, forecast.shape)
    signed = (actual != 0) & (forecast != 0)
    up = actual[signed] > 0  # (signed cases,)
    right = share_of(up == (forecast[signed] > 0))
    rises = _ratio(up.sum(), up.size)
    return Direction(right.share, right.low, right.high, max(rises, 1 - rises), up.size)


def pinball_loss(actual: Array, quantiles: Array, levels: Sequence[float] | Array) -> Array:
    """Compute max(τ(a - q), (τ - 1)(a - q)) of each quantile q at level τ: (…,), (…, levels) → (…, levels).

    Koenker & Bassett (1978), "Regression quantiles". At τ = 0.5 it is half the absolute error.
    """
    tau = np.asarray(levels, np.float64)
    assert quantiles.shape == (*actual.shape, len(tau)), (actual.shape, quantiles.shape, len(tau))
    errors = actual[..., None] - quantiles  # (…, levels)
    loss: Array = np.maximum(tau * errors, (tau - 1) * errors)
    return loss


def mean_pinball(actual: Array, quantiles: Array, levels: Sequence[float] | Array) -> float:
    """Average `pinball_loss` over cases and levels."""
    loss = pinball_loss(actual, quantiles, levels)
    return _ratio(loss.sum(), loss.size)


def weighted_quantile_loss(actual: Array, quantiles: Array, levels: Sequence[float] | Array) -> float:
    """Compute 2 Σ pinball / Σ|a|, averaged over levels: the loss relative to the absolute error of "no change".

    Mean weighted quantile loss of GluonTS; at one level it is the ρ-risk of Salinas et al. (2020), "DeepAR".
    """
    loss = 2 * pinball_loss(actual, quantiles, levels)
    return _ratio(loss.sum(), len(levels) * np.abs(actual).sum())


def crps(actual: Array, quantiles: Array, levels: Sequence[float] | Array) -> float:
    """Compute the mean continuous ranked probability score, 2 ∫₀¹ pinball(τ) dτ, from rising levels.

    Laio & Tamea (2007); Gneiting & Ranjan (2011). The integral is the trapezoid sum over the levels and 0 and 1,
    where the loss is taken as 0: level k weighs (τₖ₊₁ - τₖ₋₁) / 2, so that unequal levels count by the stretch they
    stand for. Few levels give a little less than the true score, as the expected loss is concave in τ: at the seven
    default levels a calibrated normal scores 0.965 of it. Compare methods at the same levels only.
    """
    ends = np.concatenate([[0.0], np.asarray(levels, np.float64), [1.0]])
    assert np.all(np.diff(ends) > 0), levels
    loss = pinball_loss(actual, quantiles, levels) @ (ends[2:] - ends[:-2])  # (…,) twice the trapezoid sum
    return _ratio(loss.sum(), loss.size)


def winkler(actual: Array, low: Array, high: Array, level: float) -> float:
    """Compute the mean interval score of central intervals at `level`, as 0.8: width + 2/(1 - level) × the miss.

    Winkler (1972); Gneiting & Raftery (2007), "Strictly proper scoring rules", equation 43.
    """
    assert 0 < level < 1, level
    missed = np.maximum(_errors(low, actual), 0) + np.maximum(_errors(actual, high), 0)
    score = (high - low) + 2 / (1 - level) * missed
    return _ratio(score.sum(), score.size)


def coverage(actual: Array, low: Array, high: Array) -> Share:
    """Measure how often low ≤ actual ≤ high.

    Its interval takes cases as independent; for pooled cases see `significance.ratio_interval`.
    """
    assert actual.shape == low.shape == high.shape, (actual.shape, low.shape, high.shape)
    return share_of((low <= actual) & (actual <= high))


def share_of(hits: NDArray[np.bool_]) -> Share:
    """Compute the share of hits with its exact 95% binomial interval, which takes cases as independent.

    Clopper & Pearson (1934), in its beta form (Brown, Cai & DasGupta 2001).
    """
    count, cases = int(hits.sum()), hits.size
    if not cases:
        return Share(math.nan, math.nan, math.nan)
    low = float(betaincinv(count, cases - count + 1, 0.025)) if count else 0.0
    high = float(betaincinv(count + 1, cases - count, 0.975)) if count < cases else 1.0
    return Share(count / cases, low, high)


def _errors(actual: Array, forecast: Array) -> Array:
    """Subtract; arrays of two shapes would broadcast to something else without a word."""
    assert actual.shape == forecast.shape, (actual.shape, forecast.shape)
    return actual - forecast


def _scaled(losses: Array, scale: Array) -> float:
    """Average losses (cases,) or (cases, steps) over the scale (cases,) of their series, where there is one."""
    assert scale.shape == losses.shape[:1], (losses.shape, scale.shape)
    moved = scale > 0
    scaled = losses[moved].T / scale[moved]  # (cases,) or (steps, cases)
    return _ratio(scaled.sum(), scaled.size)


def _ratio(numerator: float, denominator: float) -> float:
    """Divide; nan over 0."""
    return float(numerator / denominator) if denominator else math.nan
