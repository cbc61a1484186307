"""The model behind every answer: verified files, one onnxruntime session, prices in, price quantiles out.

The only file that imports onnxruntime. Nothing is kept between calls: h and c start at zero inside each run.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lambda_fn.model.limits import Limits
from lambda_fn.model.sessions import Sessions, SessionsRefused

Array = NDArray[np.float64]
Artefact = TypeVar("Artefact", "Manifest", "Golden", "Certificate", "Evaluation")

SCHEMA_VERSION = 1
SERVED = ("model.onnx", "weights.npz", "golden.json", "parity.json")  # what a deployment must hold beside manifest.json
NOT_SERVED = "model_lstm.pth"  # part of the set, and left out of a deployment
LARGEST_TOLERANCE = 1e-3  # of a golden answer, relative; a file that asks for more proves nothing


class ModelRefused(Exception):
    """The artefacts are not one whole, proven set; the message names the file and what is wrong with it."""


class TrainingData(msgspec.Struct):
    """Where a model comes from; kept in the manifest for the model card."""

    ids: list[str]
    rows: int
    first_date: str
    last_date: str
    sha256: str


class Manifest(msgspec.Struct):
    """What `manifest.json` says of the set it stands in (schema: models/schemas/manifest.schema.json)."""

    schema_version: int
    model_version: str
    created_at: str
    files: dict[str, str]
    window: int
    horizon: int
    quantiles: list[float]
    cell: str
    hidden_size: int
    layers: int
    head: str
    scaling: str
    parameters: int
    training_data: TrainingData | None = None


class Golden(msgspec.Struct):
    """A few windows and PyTorch's answers (schema: models/schemas/golden.schema.json)."""

    schema_version: int
    relative_tolerance: float
    prices: list[list[float]]
    quantiles: list[list[list[float]]]


class Certificate(msgspec.Struct):
    """Which graph `parity.json` speaks of (schema: models/schemas/parity.schema.json)."""

    schema_version: int
    model_sha256: str


class Evaluation(msgspec.Struct):
    """What every answer carries of `evaluation.json`, and the model it speaks of."""

    schema_version: int
    model_digest: str
    verdict: str


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
        """Closing prices (batch, window) float64 → price quantiles (batch, horizon, quantiles) float64."""
        answer: Array = self._session.run(["quantiles"], {"prices": prices})[0]
        return answer

    def _replay_golden(self, folder: Path) -> float:
        """The self-check, and the warm-up: the served graph must give the very answers PyTorch gave."""
        path, golden = folder / "golden.json", _read(folder, "golden.json", Golden)
        try:
            prices, expected = np.array(golden.prices, np.float64), np.array(golden.quantiles, np.float64)
        except ValueError:
            raise ModelRefused(f"{path}: its windows or answers are not of one length") from None
        manifest = self.manifest
        shape = (len(prices), manifest.horizon, len(manifest.quantiles))
        if not len(prices) or prices.shape[1:] != (manifest.window,) or expected.shape != shape:
            raise ModelRefused(f"{path}: its windows or answers have not the shape that manifest.json says")
        found = self.quantiles(prices)
        size = np.maximum(np.abs(expected), prices[:, -1:, None])
        worst = float(np.max(np.abs(found - expected) / size))
        limit = min(golden.relative_tolerance, LARGEST_TOLERANCE)
        if not worst <= limit:
            raise ModelRefused(
                f"{path}: the model's answers differ from PyTorch's by {worst:.2g}, more than {limit:.2g}"
            )
        return worst

    def _check_shapes(self, folder: Path) -> None:
        """The graph must read and answer what the manifest says."""
        manifest = self.manifest
        found = [value.shape[1:] for value in (*self._session.get_inputs(), *self._session.get_outputs())]
        if found != [[manifest.window], [], [manifest.horizon, len(manifest.quantiles)]]:
            raise ModelRefused(f"{folder / 'manifest.json'}: window, horizon or quantiles are not those of model.onnx")


def intervals_of(quantiles: list[float]) -> dict[float, tuple[int, int]]:
    """Interval level in percent → positions of its low and high quantile, widest first: 0.1 and 0.9 make 80."""
    half = len(quantiles) // 2
    return {round((1 - 2 * quantiles[low]) * 100, 6): (low, len(quantiles) - 1 - low) for low in range(half)}


def open_session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """The session as Lambda runs it: sequential, one thread that never spins.

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


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a set whose every file has the digest it says; `model_lstm.pth` may be absent (Lambda)."""
    manifest, where = _read(folder, "manifest.json", Manifest), folder / "manifest.json"
    if odd := {*manifest.files} ^ {*SERVED, NOT_SERVED}:
        raise ModelRefused(f"{where}: its list of files lacks, or should not hold, {', '.join(sorted(odd))}")
    levels = manifest.quantiles
    mirrored = all(abs(low + high - 1) < 1e-9 for low, high in zip(levels, reversed(levels), strict=True))
    if not mirrored or len(levels) % 2 == 0 or sorted(set(levels)) != levels:
        raise ModelRefused(f"{where}: quantiles {levels} do not rise symmetrically around 0.5")
    for name in (*SERVED, NOT_SERVED):
        try:
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError:
            if name == NOT_SERVED:
                continue
            raise ModelRefused(f"{folder / name}: missing or not readable") from None
        if digest != manifest.files[name]:
            raise ModelRefused(f"{folder / name}: not the file that manifest.json names (SHA-256 {digest[:12]}…)")
    if _read(folder, "parity.json", Certificate).model_sha256 != manifest.files["model.onnx"]:
        raise ModelRefused(f"{folder / 'parity.json'}: certifies another model.onnx")
    return manifest


def _read(folder: Path, name: str, kind: type[Artefact]) -> Artefact:
    """One JSON artefact as its struct, of the schema version this code reads."""
    path = folder / name
    try:
        found = msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError:
        raise ModelRefused(f"{path}: missing or not readable") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelRefused(f"{path}: {error}") from None
    if found.schema_version != SCHEMA_VERSION:
        raise ModelRefused(f"{path}: schema version {found.schema_version}, this code reads {SCHEMA_VERSION}")
    return found


def read_verdict(folder: Path, model_digest: str) -> str:
    """What the evaluation of this very model said; without one it is `unevaluated`."""
    if not (folder / "evaluation.json").exists():
        return "unevaluated"
    evaluation = _read(folder, "evaluation.json", Evaluation)
    return evaluation.verdict if evaluation.model_digest == model_digest else "unevaluated"
