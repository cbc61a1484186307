"""Forecast the series of a valid request: the answer of `POST /predict` and `efemera predict`, with no HTTP in it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from lambda_fn.api.problem_details import Problem
from lambda_fn.api.request_body import PredictRequest, Refused
from lambda_fn.model.forecaster import WINDOWS_PER_RUN, Inference
from lambda_fn.model.sessions import WEEKDAYS

SessionDate = str | None | msgspec.UnsetType  # ISO; None where the calendar does not reach; unset if not asked for


class Step(msgspec.Struct, gc=False):
    """One session ahead: the median price and [low, high] of each interval level."""

    step: int
    median: float
    intervals: dict[str, list[float]]
    date: SessionDate = msgspec.UNSET


class Forecast(msgspec.Struct, gc=False):
    """One series' forecast; prices in the request's own unit."""

    predicted_price: float
    last_price: float
    naive_price: float  # tomorrow equals today: the forecast to beat
    steps: list[Step]
    warnings: list[str]
    verdict: str
    model_version: str
    model_digest: str


class SeriesForecast(msgspec.Struct, gc=False):
    """One of several series' forecasts."""

    id: str
    predicted_price: float
    last_price: float
    naive_price: float
    steps: list[Step]
    warnings: list[str]


class SeriesRefused(msgspec.Struct):
    """One of several series that could not be forecast, and why."""

    id: str
    error: Problem


class Forecasts(msgspec.Struct):
    """The answer to several series, in their order."""

    forecasts: list[Any]  # of each series a SeriesForecast, encoded already, or a SeriesRefused
    verdict: str
    model_version: str
    model_digest: str


def forecast_one(inference: Inference, request: PredictRequest) -> Forecast:
    """Forecast the one series of a valid request from the last `window` of its closes. Raises `DeadlineExceeded`."""
    assert request.prices is not None
    forecaster = inference.forecaster
    inference.expect(1)
    [(steps, warnings)] = _Plan(inference, request).forecast([request.prices])
    last = request.prices[-1]
    return Forecast(
        steps[0].median, last, last, steps, warnings,
        forecaster.verdict, forecaster.manifest.model_version, forecaster.model_digest,
    )  # fmt: skip


def forecast_series(inference: Inference, request: PredictRequest, refused: Refused, request_id: str) -> Forecasts:
    """Forecast each series of a valid request but the `refused`, which get problem details. Raises `DeadlineExceeded`.

    A forecast is encoded as soon as it is made: its objects are in the processor's cache then, and their memory is
    there for the next run.
    """
    assert request.series is not None
    forecaster, plan, encode = inference.forecaster, _Plan(inference, request), msgspec.json.Encoder().encode
    valid = [series for position, series in enumerate(request.series) if position not in refused]
    inference.expect(len(valid))
    forecasts: list[Any] = []
    for start in range(0, len(valid), WINDOWS_PER_RUN):
        batch = valid[start : start + WINDOWS_PER_RUN]
        for series, (steps, warnings) in zip(batch, plan.forecast([item.prices for item in batch]), strict=True):
            last = series.prices[-1]
            forecast = SeriesForecast(series.id, steps[0].median, last, last, steps, warnings)
            forecasts.append(msgspec.Raw(encode(forecast)))
    for position in sorted(refused):
        problem = refused[position].problem(request_id)
        forecasts.insert(position, SeriesRefused(request.series[position].id, problem))
    return Forecasts(forecasts, forecaster.verdict, forecaster.manifest.model_version, forecaster.model_digest)


class _Plan:
    """The options of a request, worked out once for all its series: interval levels, steps, dates."""

    def __init__(self, inference: Inference, request: PredictRequest) -> None:
        self._inference = inference
        forecaster = inference.forecaster
        self._window, self._median = forecaster.manifest.window, forecaster.median_index
        self._pack = struct.Struct(f"{self._window}d").pack  # a third of the time of np.array on nested lists
        levels = forecaster.intervals if request.levels is None else request.levels
        self._bounds = [(f"{level:g}", *forecaster.intervals[level]) for level in levels]
        count = int(request.horizon or forecaster.manifest.horizon)
        dates: list[SessionDate] = [msgspec.UNSET] * count
        if request.last_date is not None:
            dates = list(forecaster.sessions.after(request.calendar or WEEKDAYS, request.last_date, count))
        self._dates = list(enumerate(dates, start=1))
        self._warnings = ["undated"] if None in dates else []

    def forecast(self, closes: Sequence[list[float]]) -> Iterator[tuple[list[Step], list[str]]]:
        """Forecast at most `WINDOWS_PER_RUN` series in one run of the graph: the steps and the warnings of each."""
        windows = [prices[-self._window :] for prices in closes]
        packed = b"".join([self._pack(*window) for window in windows])
        prices = np.frombuffer(packed).reshape(-1, self._window)  # (series, window)
        for window, rows in zip(windows, self._inference.quantiles(prices).tolist(), strict=True):
            steps = [
                Step(number, row[self._median], {name: [row[low], row[high]] for name, low, high in self._bounds}, date)
                for (number, date), row in zip(self._dates, rows, strict=False)  # as many rows as were asked for
            ]
            is_constant = window.count(window[0]) == self._window
            yield steps, ["constant", *self._warnings] if is_constant else self._warnings
