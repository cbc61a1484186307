"""One request's use of the model: its time counted, its deadline kept."""

from __future__ import annotations

import time
from typing import Any

from lambda_fn.api.problem_details import Refusal
from lambda_fn.model.forecaster import Array, Forecaster

BLOCK = 24  # windows in one run of the graph: with more, what a request holds beside them falls out of the cache
RESERVE = 0.05  # seconds of a request's time kept for writing the answer and sending it


class Run:
    """The model for the length of one request."""

    __slots__ = ("_deadline", "_expected", "_started", "forecaster", "seconds", "series")

    def __init__(self, forecaster: Forecaster, context: Any = None) -> None:
        """`context` is Lambda's; without one there is no deadline."""
        self.forecaster = forecaster
        self.series = 0  # answered
        self.seconds = 0.0  # of these, inside onnxruntime
        self._expected = 0
        self._started = time.perf_counter()
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        self._deadline = None if remaining is None else self._started + remaining() / 1e3 - RESERVE

    def expect(self, series: int) -> None:
        """Say how many series will be run. Raises `Refusal` (503) when no time is left for any."""
        self._expected = series
        self._started = time.perf_counter()
        if series:
            self._keep_deadline(self._started)

    def quantiles(self, prices: Array) -> Array:
        """Closing prices (batch, window) float64 → price quantiles (batch, horizon, quantiles) float64.

        Raises `Refusal` (503) as soon as the speed so far says that the invocation would end before the last series.
        """
        begun = time.perf_counter()
        found = self.forecaster.quantiles(prices)
        ended = time.perf_counter()
        self.seconds += ended - begun
        self.series += len(prices)
        if self.series < self._expected:
            self._keep_deadline(ended)
        return found

    def _keep_deadline(self, now: float) -> None:
        if self._deadline is None:
            return
        left = self._deadline - now
        needed = (now - self._started) * (self._expected / self.series - 1) if self.series else 0.0
        if needed >= left:
            raise Refusal(
                503,
                f"{self._expected:,} forecasts need {needed:.2g} s more and this invocation has {max(left, 0):.2g} s"
                " left; send fewer series, or again",
                headers={"Retry-After": "1"},
            )
