"""Read and verify a set of artefacts: `manifest.json`, the digests in it, certificate and verdict. No onnxruntime."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

import msgspec

Artefact = TypeVar("Artefact", "Manifest", "Golden", "Certificate", "Evaluation")

SCHEMA_VERSION = 1
SERVED = ("model.onnx", "weights.npz", "golden.json", "parity.json")  # what a deployment must hold beside manifest.json
NOT_SERVED = "model_lstm.pth"  # part of the set, and left out of a deployment


class ModelRefused(Exception):
    """The artefacts are not one whole, proven set; the message names the file and what is wrong with it."""


class Disagreement(Exception):
    """The equations on `weights.npz` are not the served graph; the message says by how much or in what."""


class TrainingData(msgspec.Struct):
    """Training data of a model, for its card."""

    ids: list[str]
    rows: int
    first_date: str
    last_date: str
    sha256: str


class Manifest(msgspec.Struct):
    """Contents of `manifest.json` (schema: models/schemas/manifest.schema.json)."""

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
    """Contents of `golden.json`: a few windows and PyTorch's answers (schema: models/schemas/golden.schema.json)."""

    schema_version: int
    relative_tolerance: float
    prices: list[list[float]]
    quantiles: list[list[list[float]]]


class Certificate(msgspec.Struct):
    """The graph that `parity.json` certifies (schema: models/schemas/parity.schema.json)."""

    schema_version: int
    model_sha256: str


class Evaluation(msgspec.Struct):
    """The verdict of `evaluation.json` and the model that it is about."""

    schema_version: int
    model_digest: str
    verdict: str


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest and verify the digest of every file in it; `model_lstm.pth` may be absent (Lambda).

    Raises `ModelRefused`.
    """
    manifest, where = read_artefact(folder, "manifest.json", Manifest), folder / "manifest.json"
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
    if read_artefact(folder, "parity.json", Certificate).model_sha256 != manifest.files["model.onnx"]:
        raise ModelRefused(f"{folder / 'parity.json'}: certifies another model.onnx")
    return manifest


def read_artefact(folder: Path, name: str, kind: type[Artefact]) -> Artefact:
    """Read one JSON artefact. Raises `ModelRefused` where it is missing, malformed or of another schema version."""
    path = folder / name
    try:
        artefact = msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError:
        raise ModelRefused(f"{path}: missing or not readable") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelRefused(f"{path}: {error}") from None
    if artefact.schema_version != SCHEMA_VERSION:
        raise ModelRefused(f"{path}: schema version {artefact.schema_version}, this code reads {SCHEMA_VERSION}")
    return artefact


def read_verdict(folder: Path, model_digest: str) -> str:
    """Read the verdict of the evaluation of this very model; `unevaluated` without one."""
    if not (folder / "evaluation.json").exists():
        return "unevaluated"
    evaluation = read_artefact(folder, "evaluation.json", Evaluation)
    return evaluation.verdict if evaluation.model_digest == model_digest else "unevaluated"


def intervals_of(quantiles: list[float]) -> dict[float, tuple[int, int]]:
    """Map interval levels in percent to positions of their low and high quantile, widest first: 0.1 and 0.9 make 80."""
    half = len(quantiles) // 2
    return {round((1 - 2 * quantiles[low]) * 100, 6): (low, len(quantiles) - 1 - low) for low in range(half)}
