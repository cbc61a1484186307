"""Baselines AutoETS and AutoTheta of `statsforecast`, on the logarithms of the closes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.data.prices import Prices
from export.evaluation.cases import Array, Cases, Fold, Forecast
from export.evaluation.methods.simple import stretches_of

LONGEST = 1_000  # closes of a fit, about four years: they look no further back than a smoothing parameter does


def auto_ets(
    prices: Prices, cases: Cases, folds: Sequence[Fold], levels: Sequence[float]
) -> tuple[NDArray[np.int64], Forecast]:
    """Forecast by AutoETS the first cutoff of each series in each fold: positions of these cases, and their forecasts.

    Choosing and fitting a model takes too long for every cutoff; compare others on the same positions.
    """
    from statsforecast.models import AutoETS  # takes seconds to import

    return _forecast(AutoETS(season_length=1), prices, cases, folds, levels)


def auto_theta(
    prices: Prices, cases: Cases, folds: Sequence[Fold], levels: Sequence[float]
) -> tuple[NDArray[np.int64], Forecast]:
    """Forecast by AutoTheta the same cutoffs as `auto_ets`, in the same form.

    Its intervals are quantiles of the 200 paths that `statsforecast` simulates: their widths are off by up to a tenth.
    """
    from statsforecast.models import AutoTheta  # takes seconds to import

    return _forecast(AutoTheta(season_length=1), prices, cases, folds, levels)


def _forecast(
    model: Any, prices: Prices, cases: Cases, folds: Sequence[Fold], levels: Sequence[float]
) -> tuple[NDArray[np.int64], Forecast]:
    positions, medians, quantiles = [], [], []
    for log, stretches in stretches_of(prices, cases, folds):
        for stretch in stretches:
            cutoff = int(stretch.cutoffs[0])
            # Less the last one: the forecast is then a return, and the answer the same for any unit of price.
            past = (log[: cutoff + 1] - log[cutoff])[-LONGEST:]
            answer = model.forecast(past, h=cases.horizon, level=_intervals(levels))
            positions.append(stretch.cases[0])
            medians.append(answer["mean"])
            quantiles.append(np.stack([_column(answer, level) for level in levels], axis=-1))  # (horizon, levels)
    order = np.argsort(positions)
    return np.asarray(positions, dtype=np.int64)[order], Forecast(np.stack(medians)[order], np.stack(quantiles)[order])


def _intervals(levels: Sequence[float]) -> list[float]:
    """List the central intervals in percent that these levels bound: 0.025 and 0.975 bound 95."""
    return sorted({_width(level) for level in levels} - {0.0})


def _width(level: float) -> float:
    return round(100 * abs(2 * level - 1), 6)


def _column(answer: dict[str, Array], level: float) -> Array:
    if not _width(level):
        return answer["mean"]
    return answer[f"{'lo' if level < 0.5 else 'hi'}-{_width(level)}"]
