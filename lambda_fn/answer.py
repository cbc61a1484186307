"""From a valid request to the answer, with no HTTP in it: what `POST /predict` and `efemera predict` both say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from lambda_fn.forecaster import Forecaster
from lambda_fn.problem import Problem, problem_of
from lambda_fn.request import PredictRequest, Refused
from lambda_fn.sessions import WEEKDAYS

BLOCK = 32  # series in one run of the graph: more fall out of the processor's cache

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

    forecasts: list[SeriesForecast | SeriesRefused]
    verdict: str
    model_version: str
    model_digest: str


def answer(forecaster: Forecaster, request: PredictRequest) -> Forecast:
    """Forecast the one series of a valid request from the last `window` of its closes."""
    assert request.prices is not None
    plan = _Plan(forecaster, request)
    [(steps, warnings)] = plan.forecasts([request.prices])
    last = request.prices[-1]
    return Forecast(
        steps[0].median, last, last, steps, warnings,
        forecaster.verdict, forecaster.manifest.model_version, forecaster.model_digest,
    )  # fmt: skip


def answer_series(forecaster: Forecaster, request: PredictRequest, refused: Refused, instance: str) -> Forecasts:
    """Forecast each series of a valid request; those `refused` get their faults, under this request id."""
    assert request.series is not None
    plan = _Plan(forecaster, request)
    found: list[SeriesForecast | SeriesRefused] = []
    good = [series for position, series in enumerate(request.series) if position not in refused]
    for start in range(0, len(good), BLOCK):
        block = good[start : start + BLOCK]
        for series, (steps, warnings) in zip(block, plan.forecasts([one.prices for one in block]), strict=True):
            last = series.prices[-1]
            found.append(SeriesForecast(series.id, steps[0].median, last, last, steps, warnings))
    for position in sorted(refused):
        faults = refused[position]
        error = problem_of(422, f"{faults[0].pointer} {faults[0].detail}", instance, faults)
        found.insert(position, SeriesRefused(request.series[position].id, error))
    return Forecasts(found, forecaster.verdict, forecaster.manifest.model_version, forecaster.model_digest)


class _Plan:
    """What a request asks of every series of it: which levels, how many steps, on which days."""

    def __init__(self, forecaster: Forecaster, request: PredictRequest) -> None:
        self._forecaster, self._window = forecaster, forecaster.manifest.window
        wanted = forecaster.intervals if request.levels is None else request.levels
        self._names = [f"{level:g}" for level in wanted]
        self._bounds = np.array([forecaster.intervals[level] for level in wanted], np.intp).reshape(-1, 2)
        count = request.horizon or forecaster.manifest.horizon
        days: list[Day] = [msgspec.UNSET] * count
        if request.last_date is not None:
            days = list(forecaster.sessions.after(request.calendar or WEEKDAYS, request.last_date, count))
        self._days = list(enumerate(days, start=1))
        self._warnings = ["undated"] if None in days else []

    def forecasts(self, closes: Sequence[list[float]]) -> Iterator[tuple[list[Step], list[str]]]:
        """The steps and the warnings of each of these series, run as one batch."""
        windows = np.array([prices[-self._window :] for prices in closes])  # (series, window)
        quantiles = self._forecaster.quantiles(windows)[:, : len(self._days)]  # (series, steps, quantiles)
        medians = quantiles[:, :, self._forecaster.median_index].tolist()
        intervals = quantiles[:, :, self._bounds].tolist()  # (series, steps, levels, 2)
        constant = (windows.min(axis=1) == windows.max(axis=1)).tolist()
        names = self._names
        for series_medians, series_intervals, is_constant in zip(medians, intervals, constant, strict=True):
            steps = [
                Step(number, median, dict(zip(names, bounds, strict=True)), day)
                for (number, day), median, bounds in zip(self._days, series_medians, series_intervals, strict=True)
            ]
            yield steps, ["constant", *self._warnings] if is_constant else self._warnings
