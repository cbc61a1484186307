"""From a valid request to the answer, with no HTTP in it: what `POST /predict` and `efemera predict` both say."""

from __future__ import annotations

import msgspec
import numpy as np

from lambda_fn.forecaster import Forecaster
from lambda_fn.request import PredictRequest


class Step(msgspec.Struct):
    """One session ahead: the median price and [low, high] of each interval level."""

    step: int
    median: float
    intervals: dict[str, tuple[float, float]]


class Forecast(msgspec.Struct):
    """One series' forecast; prices in the request's own unit."""

    predicted_price: float
    last_price: float
    naive_price: float  # tomorrow equals today: the forecast to beat
    steps: list[Step]
    warnings: list[str]
    verdict: str
    model_version: str
    model_digest: str


def answer(forecaster: Forecaster, request: PredictRequest) -> Forecast:
    """Forecast from the last `window` closes of a valid request."""
    manifest = forecaster.manifest
    window = np.array([request.prices[-manifest.window :]])  # (1, window)
    quantiles = forecaster.quantiles(window)[0].tolist()  # horizon × quantiles
    intervals = forecaster.intervals
    levels = {f"{level:g}": intervals[level] for level in (intervals if request.levels is None else request.levels)}
    median = forecaster.median_index
    return Forecast(
        predicted_price=quantiles[0][median],
        last_price=request.prices[-1],
        naive_price=request.prices[-1],
        steps=[
            Step(number, row[median], {level: (row[low], row[high]) for level, (low, high) in levels.items()})
            for number, row in enumerate(quantiles[: request.horizon or manifest.horizon], start=1)
        ],
        warnings=["constant"] if window.min() == window.max() else [],
        verdict=forecaster.verdict,
        model_version=manifest.model_version,
        model_digest=forecaster.model_digest,
    )
