"""From a valid request to the answer, with no HTTP in it: what `POST /predict` and `efemera predict` both say."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from lambda_fn.api.deadline import BLOCK, Run
from lambda_fn.api.problem_details import Problem
from lambda_fn.api.request import PredictRequest, Refused
from lambda_fn.model.sessions import WEEKDAYS

Day = str | None | msgspec.UnsetType  # ISO date; None where the calendar does not reach; unset where none was asked for


class Step(msgspec.Struct, gc=False):
    """One session ahead: the median price and [low, high] of each interval level."""

    step: int
    median: float
    intervals: dict[str, list[float]]
    date: Day = msgspec.UNSET


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


def answer(run: Run, request: PredictRequest) -> Forecast:
    """Forecast the one series of a valid request from the last `window` of its closes."""
    assert request.prices is not None
    forecaster = run.forecaster
    run.expect(1)
    [(steps, warnings)] = _Plan(run, request).forecasts([request.prices])
    last = request.prices[-1]
    return Forecast(
        steps[0].median, last, last, steps, warnings,
        forecaster.verdict, forecaster.manifest.model_version, forecaster.model_digest,
    )  # fmt: skip


def answer_series(run: Run, request: PredictRequest, refused: Refused, instance: str) -> Forecasts:
    """Forecast each series of a valid request; those `refused` say why, under this request id.

    A forecast is encoded as soon as it is made: its objects are in the processor's cache then, and their memory is
    there for the next block.
    """
    assert request.series is not None
    forecaster, plan, encode = run.forecaster, _Plan(run, request), msgspec.json.Encoder().encode
    good = [series for position, series in enumerate(request.series) if position not in refused]
    run.expect(len(good))
    found: list[Any] = []
    for start in range(0, len(good), BLOCK):
        block = good[start : start + BLOCK]
        for series, (steps, warnings) in zip(block, plan.forecasts([one.prices for one in block]), strict=True):
            last = series.prices[-1]
            made = SeriesForecast(series.id, steps[0].median, last, last, steps, warnings)
            found.append(msgspec.Raw(encode(made)))
    for position in sorted(refused):
        problem = refused[position].problem(instance)
        found.insert(position, SeriesRefused(request.series[position].id, problem))
    return Forecasts(found, forecaster.verdict, forecaster.manifest.model_version, forecaster.model_digest)


class _Plan:
    """What a request asks of every series of it: which levels, how many steps, on which days."""

    def __init__(self, run: Run, request: PredictRequest) -> None:
        self._run = run
        forecaster = run.forecaster
        self._window, self._median = forecaster.manifest.window, forecaster.median_index
        self._pack = struct.Struct(f"{self._window}d").pack  # a third of the time of np.array on nested lists
        levels = forecaster.intervals if request.levels is None else request.levels
        self._bounds = [(f"{level:g}", *forecaster.intervals[level]) for level in levels]
        count = int(request.horizon or forecaster.manifest.horizon)
        days: list[Day] = [msgspec.UNSET] * count
        if request.last_date is not None:
            days = list(forecaster.sessions.after(request.calendar or WEEKDAYS, request.last_date, count))
        self._days = list(enumerate(days, start=1))
        self._warnings = ["undated"] if None in days else []

    def forecasts(self, closes: Sequence[list[float]]) -> Iterator[tuple[list[Step], list[str]]]:
        """The steps and the warnings of each of these series, at most `BLOCK`, run as one batch."""
        windows = [prices[-self._window :] for prices in closes]
        packed = b"".join([self._pack(*window) for window in windows])
        prices = np.frombuffer(packed).reshape(-1, self._window)  # (series, window)
        for window, rows in zip(windows, self._run.quantiles(prices).tolist(), strict=True):
            steps = [
                Step(number, row[self._median], {name: [row[low], row[high]] for name, low, high in self._bounds}, day)
                for (number, day), row in zip(self._days, rows, strict=False)  # as many rows as days were asked for
            ]
            is_constant = window.count(window[0]) == self._window
            yield steps, ["constant", *self._warnings] if is_constant else self._warnings
