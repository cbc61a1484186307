"""Score every method on the same cases: metrics by part and step, comparisons, reliability, coverage by month."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.evaluation import metrics
from export.evaluation.cases import Array, Cases, Forecast
from export.evaluation.significance import diebold_mariano, ratio_interval

OURS = "efemera"
TERCILES = ("low", "middle", "high")
DRAWS = 1000  # of the bootstrap over dates
BLOCK_SESSIONS = 20  # drawn together, for five steps ahead; half as many made intervals too narrow
FEWEST_DATES = 5 * BLOCK_SESSIONS  # with fewer the bootstrap says nothing


@dataclasses.dataclass(frozen=True)
class Scales:
    """Divisors of MASE and RMSSE of each case: the series' own daily changes before its first cutoff."""

    absolute: Array  # (cases,) mean absolute daily log return
    squared: Array  # (cases,) mean squared daily log return


def scores_of(cases: Cases, forecasts: Mapping[str, Forecast], scales: Scales, levels: Sequence[float]) -> list[Any]:
    """Score each part of the cases at each step: {"part", "step", "cases", "methods": {name: measures}}.

    Step 0 is all steps together. Parts: all; each third of a series' cases by the volatility known at the cutoff; each
    series.
    """
    lines = []
    for part, which in _parts(cases):
        for step in range(cases.horizon + 1):
            lines.append(
                {
                    "part": part,
                    "step": step,
                    "cases": len(which),
                    "methods": {
                        name: _measures(cases, forecast, scales, levels, which, step)
                        for name, forecast in forecasts.items()
                    },
                }
            )
    return lines


def comparisons_of(cases: Cases, forecasts: Mapping[str, Forecast], levels: Sequence[float]) -> list[Any]:
    """Compare ours with each baseline: ratio of mean losses, its interval over dates, and the Diebold-Mariano test."""
    comparisons = []
    for name, forecast in forecasts.items():
        if name == OURS:
            continue
        for measure in ("pinball", "absolute error"):
            if measure == "pinball" and forecast.quantiles is None:
                continue
            ours, theirs = (_losses(cases, one, levels, measure) for one in (forecasts[OURS], forecast))
            for step in range(cases.horizon + 1):
                comparisons.append(
                    {"against": name, "measure": measure, "step": step}
                    | compare(_at(ours, step), _at(theirs, step), cases.cutoffs, step or cases.horizon)
                )
    return comparisons


def compare(ours: Array, theirs: Array, cutoffs: NDArray[np.datetime64], horizon: int) -> dict[str, float]:
    """Compare the losses (cases,) of two methods on the same cases: their ratio, its 95% interval, and the test.

    The test is of the mean loss of each date, as series move together.
    """
    low, high = ratio_interval(ours, theirs, cutoffs, draws=DRAWS, block=BLOCK_SESSIONS)
    _, turn, count = np.unique(cutoffs, return_inverse=True, return_counts=True)
    by_date = [np.bincount(turn, losses) / count for losses in (ours, theirs)]
    test = diebold_mariano(by_date[0], by_date[1], horizon)
    return {
        "ratio": float(ours.sum() / theirs.sum()) if theirs.any() else math.nan,
        "low": low,
        "high": high,
        "statistic": test.statistic,
        "p_value": test.p_value,
    }


def reliability_of(cases: Cases, forecasts: Mapping[str, Forecast], levels: Sequence[float]) -> dict[str, Any]:
    """Measure calibration one step ahead, by method with quantiles: [level, share of closes below that quantile]."""
    return {
        name: [
            [level, float(np.mean(cases.returns[:, 0] <= forecast.quantiles[:, 0, position]))]
            for position, level in enumerate(levels)
        ]
        for name, forecast in forecasts.items()
        if forecast.quantiles is not None
    }


def months_of(cases: Cases, ours: Forecast, levels: Sequence[float]) -> list[Any]:
    """Measure coverage one step ahead by month of the cutoffs, beside the volatility known at them."""
    assert ours.quantiles is not None
    months = cases.cutoffs.astype("datetime64[M]")
    hits = {name: _hits(cases, ours.quantiles, pair, 1) for name, pair in intervals_of(levels).items()}
    lines = []
    for month in np.unique(months):
        here = months == month
        lines.append(
            {
                "month": str(month),
                "cases": int(here.sum()),
                "coverage": {name: float(hit[here].mean()) for name, hit in hits.items()},
                "volatility": float(cases.trailing[here].mean()),
            }
        )
    return lines


def case_losses(cases: Cases, forecast: Forecast, levels: Sequence[float]) -> Array:
    """Average the pinball loss of each case over its steps and levels: (cases,)."""
    assert forecast.quantiles is not None
    return np.asarray(metrics.pinball_loss(cases.returns, forecast.quantiles, levels).mean(axis=(1, 2)))


def intervals_of(levels: Sequence[float]) -> dict[str, tuple[int, int]]:
    """List the central intervals of symmetric levels, widest first: "95" → the positions of 0.025 and 0.975."""
    pairs = ((low, len(levels) - 1 - low) for low in range(len(levels) // 2))
    return {f"{100 * (levels[high] - levels[low]):g}": (low, high) for low, high in pairs}


def tercile_of(cases: Cases) -> NDArray[np.int64]:
    """Rank cases in thirds, 0 to 2, of their own series by the volatility known at the cutoff."""
    third = np.empty(len(cases), np.int64)
    for owner in np.unique(cases.owners):
        own = np.flatnonzero(cases.owners == owner)
        ranks = np.empty(len(own), np.int64)
        ranks[np.argsort(cases.trailing[own], kind="stable")] = np.arange(len(own))
        third[own] = ranks * 3 // len(own)
    return third


def _parts(cases: Cases) -> Iterator[tuple[str, NDArray[np.int64]]]:
    yield "all", np.arange(len(cases))
    third = tercile_of(cases)
    for position, name in enumerate(TERCILES):
        if len(which := np.flatnonzero(third == position)):
            yield f"volatility {name}", which
    for owner in np.unique(cases.owners):
        yield f"series {cases.ids[owner]}", np.flatnonzero(cases.owners == owner)


def _measures(
    cases: Cases, forecast: Forecast, scales: Scales, levels: Sequence[float], which: NDArray[np.int64], step: int
) -> dict[str, Any]:
    steps = slice(None) if step == 0 else slice(step - 1, step)
    actual, median = cases.returns[which, steps], forecast.median[which, steps]
    last = np.zeros_like(actual)  # naive: the close of the cutoff stays
    scored: dict[str, Any] = {
        "rel_mae": metrics.relative_mae(actual, median, last),
        "theils_u": metrics.theils_u(actual, median, last),
        "mase": metrics.mase(actual, median, scales.absolute[which]),
        "rmsse": metrics.rmsse(actual, median, scales.squared[which]),
        "r2": metrics.r2_of_returns(actual, median, last),
        "direction": {
            name: value
            for name, value in dataclasses.asdict(metrics.direction(actual, median)).items()
            if name != "cases"
        },
    }
    if forecast.quantiles is not None:
        quantiles = forecast.quantiles[which, steps]
        scored["pinball"] = metrics.mean_pinball(actual, quantiles, levels)
        scored["wql"] = metrics.weighted_quantile_loss(actual, quantiles, levels)
        scored["crps"] = metrics.crps(actual, quantiles, levels)
        scored["coverage"], scored["winkler"] = {}, {}
        for name, (low, high) in intervals_of(levels).items():
            hits = _hits(cases.take(which), forecast.quantiles[which], (low, high), step)
            least, most = ratio_interval(
                hits, np.ones(len(hits)), cases.cutoffs[which], draws=DRAWS, block=BLOCK_SESSIONS
            )
            scored["coverage"][name] = {"share": float(hits.mean()), "low": least, "high": most}
            scored["winkler"][name] = metrics.winkler(
                actual, quantiles[..., low], quantiles[..., high], levels[high] - levels[low]
            )
    return scored


def _hits(cases: Cases, quantiles: Array, pair: tuple[int, int], step: int) -> Array:
    """Mark the cases whose close was within an interval, 0 or 1; of step 0 the share of the steps: (cases,)."""
    low, high = pair
    inside = (cases.returns >= quantiles[..., low]) & (cases.returns <= quantiles[..., high])  # (cases, horizon)
    return _at(inside.astype(np.float64), step)


def _losses(cases: Cases, forecast: Forecast, levels: Sequence[float], measure: str) -> Array:
    """Compute the loss of each case and step: (cases, horizon)."""
    if measure == "pinball":
        assert forecast.quantiles is not None
        return np.asarray(metrics.pinball_loss(cases.returns, forecast.quantiles, levels).mean(axis=-1))
    return np.abs(cases.returns - forecast.median)


def _at(values: Array, step: int) -> Array:
    """Select one step's values (cases,), or the mean of all: 0."""
    return values.mean(axis=1) if step == 0 else values[:, step - 1]
