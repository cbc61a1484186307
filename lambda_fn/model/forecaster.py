"""Serve one verified model: one onnxruntime session, prices in, price quantiles out.

The only file that imports onnxruntime. Nothing is kept between calls: h and c start at zero inside each run.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lambda_fn.model.limits import Limits
from lambda_fn.model.manifest import Golden, ModelRefused, intervals_of, read_artefact, read_manifest, read_verdict
from lambda_fn.model.sessions import Sessions, SessionsRefused

Array = NDArray[np.float64]

LARGEST_TOLERANCE = 1e-3  # of a golden answer, relative; a file that asks for more proves nothing
WINDOWS_PER_RUN = 24  # of the graph; with more, what a request holds beside them falls out of the cache
RESERVE = 0.05  # seconds of an invocation kept for writing the answer and sending it


class Forecaster:
    """One verified model. Raises `ModelRefused` when the folder is not a whole set or fails its golden windows."""

    def __init__(self, folder: Path) -> None:
        self.manifest = read_manifest(folder)
        self.model_digest = self.manifest.files["model.onnx"][:12]
        self.median_index = len(self.manifest.quantiles) // 2
        self.intervals = intervals_of(self.manifest.quantiles)
        self.verdict = read_verdict(folder, self.model_digest)
        try:
            self._session = open_session(folder / "model.onnx")
        except Exception as error:  # onnxruntime's errors share no base class
            raise ModelRefused(f"{folder / 'model.onnx'}: onnxruntime can't load it ({error})") from None
        self._check_shapes(folder)
        self.self_check = self._replay_golden(folder)  # worst relative difference from PyTorch's answers
        try:
            self.sessions = Sessions(folder)
        except SessionsRefused as refusal:
            raise ModelRefused(str(refusal)) from None
        calendars = self.sessions.calendars
        self.limits = Limits(self.manifest.window, self.manifest.horizon, tuple(self.intervals), calendars)

    def quantiles(self, prices: Array) -> Array:
        """Forecast price quantiles (batch, horizon, quantiles) float64 from closing prices (batch, window) float64."""
        answer: Array = self._session.run(["quantiles"], {"prices": prices})[0]
        return answer

    def _replay_golden(self, folder: Path) -> float:
        """Check the served graph against PyTorch's answers, which also warms it up; return the worst difference."""
        path, golden = folder / "golden.json", read_artefact(folder, "golden.json", Golden)
        try:
            prices, expected = np.array(golden.prices, np.float64), np.array(golden.quantiles, np.float64)
        except ValueError:
            raise ModelRefused(f"{path}: its windows or answers are not of one length") from None
        manifest = self.manifest
        shape = (len(prices), manifest.horizon, len(manifest.quantiles))
        if not len(prices) or prices.shape[1:] != (manifest.window,) or expected.shape != shape:
            raise ModelRefused(f"{path}: its windows or answers have not the shape that manifest.json says")
        served = self.quantiles(prices)
        size = np.maximum(np.abs(expected), prices[:, -1:, None])
        worst = float(np.max(np.abs(served - expected) / size))
        limit = min(golden.relative_tolerance, LARGEST_TOLERANCE)
        if not worst <= limit:
            raise ModelRefused(
                f"{path}: the model's answers differ from PyTorch's by {worst:.2g}, more than {limit:.2g}"
            )
        return worst

    def _check_shapes(self, folder: Path) -> None:
        """Check the graph's input and outputs against the manifest."""
        manifest = self.manifest
        shapes = [value.shape[1:] for value in (*self._session.get_inputs(), *self._session.get_outputs())]
        if shapes != [[manifest.window], [], [manifest.horizon, len(manifest.quantiles)]]:
            raise ModelRefused(f"{folder / 'manifest.json'}: window, horizon or quantiles are not those of model.onnx")


def open_session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """Open a session as Lambda runs it: sequential, one thread that never spins.

    The arena stays off: `make bench` shows the same speed without it, and memory that is given back. Graph
    optimisation stays at its default, which the parity gate has judged.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


class DeadlineExceeded(Exception):
    """An invocation would end before its forecasts are made; the message says how long they need."""


class Inference:
    """Use of a forecaster by one request: its series and seconds counted, the invocation's deadline kept."""

    __slots__ = ("_deadline", "_expected", "_started", "forecaster", "seconds", "series")

    def __init__(self, forecaster: Forecaster, seconds_left: float | None = None) -> None:
        """`seconds_left` are those of the invocation; None sets no deadline."""
        self.forecaster = forecaster
        self.series = 0  # forecast so far
        self.seconds = 0.0  # inside onnxruntime
        self._expected = 0
        self._started = time.perf_counter()
        self._deadline = None if seconds_left is None else self._started + seconds_left - RESERVE

    def expect(self, series: int) -> None:
        """Announce how many series will be forecast. Raises `DeadlineExceeded` when no time is left for any."""
        self._expected = series
        self._started = time.perf_counter()
        if series:
            self._check_deadline(self._started)

    def quantiles(self, prices: Array) -> Array:
        """Forecast as `Forecaster.quantiles`.

        Raises `DeadlineExceeded` as soon as the speed so far says that the invocation would end before the last series.
        """
        begun = time.perf_counter()
        quantiles = self.forecaster.quantiles(prices)
        ended = time.perf_counter()
        self.seconds += ended - begun
        self.series += len(prices)
        if self.series < self._expected:
            self._check_deadline(ended)
        return quantiles

    def _check_deadline(self, now: float) -> None:
        if self._deadline is None:
            return
        left = self._deadline - now
        needed = (now - self._started) * (self._expected / self.series - 1) if self.series else 0.0
        if needed >= left:
            raise DeadlineExceeded(
                f"{self._expected:,} forecasts need {needed:.2g} s more and this invocation has {max(left, 0):.2g} s"
                " left; send fewer series, or again"
            )
