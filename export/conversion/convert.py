"""One export, start to end: graph → weights → golden windows → parity gate → the set on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import torch
from numpy.typing import NDArray

from export.conversion.artefacts import (
    SCHEMA_VERSION,
    as_json,
    check_version,
    description_of,
    manifest_of,
    weights_npz,
    write_set,
)
from export.conversion.checkpoint import read_checkpoint, save_checkpoint
from export.conversion.onnx_graph import OPSET, export_onnx
from export.conversion.parity import certify, tolerance_of
from export.conversion.probes import probes
from export.conversion.schemas import read_schema
from export.data.prices import Prices
from export.errors import GateRefused, InputError
from export.training.network import Network
from export.training.windows import closes_of, first_rows
from lambda_fn.model import gates
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.manifest import ModelRefused

Array = NDArray[np.float64]

GOLDEN_WINDOWS = 6
PROBE_WINDOWS = 256
HELD_OUT_WINDOWS = 1000


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Real windows, and the words that say which they are and whether the weights have seen them."""

    name: str  # "held out", or "given" where training may have seen some
    prices: Array  # (count, window)
    words: str


def export_bundle(
    network: Network,
    training: Mapping[str, Any],
    out: Path,
    *,
    held_out: HeldOut | None = None,
    model_version: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Export, prove and write one set; the manifest and the certificate.

    Raises `GateRefused` when the implementations disagree: then `out` is as it was.
    """
    network.eval()
    check_version(model_version)
    model = export_onnx(network).SerializeToString()
    digest = hashlib.sha256(model).hexdigest()
    weights = weights_npz(network)
    with tempfile.TemporaryDirectory(prefix="efemera-") as scratch:
        weights_path, checkpoint_path = Path(scratch) / "weights.npz", Path(scratch) / "model_lstm.pth"
        weights_path.write_bytes(weights)
        save_checkpoint(checkpoint_path, network, dict(training))
        windows = _windows(network, held_out)
        certificate = certify(network, model, weights_path, windows, held_out.words if held_out else None)
        files = {
            "model_lstm.pth": checkpoint_path.read_bytes(),
            "model.onnx": model,
            "weights.npz": weights,
            "golden.json": as_json("golden", golden_of(network, gates.load_weights(weights_path))),
            "parity.json": as_json("parity", {**certificate, "model_sha256": digest}),
        }
    manifest = manifest_of(network, training, model_version, OPSET, digest)
    write_set(out, files, manifest)
    return manifest, certificate


def check_bundle(folder: Path, prices: Prices | None = None, seed: int = 1) -> dict[str, Any]:
    """Prove an existing set again, from its files alone, on other random walks than the export's.

    With `prices`, on their held-out windows too. Returns the new certificate. Raises `GateRefused` when a file is
    missing, altered or says what another file denies, or when the gate says no.
    """
    try:
        Forecaster(folder)  # verifies the digests and replays the golden windows
    except ModelRefused as refusal:
        raise GateRefused(str(refusal)) from None
    try:
        network, training = read_checkpoint(folder / "model_lstm.pth")
    except InputError as error:
        raise GateRefused(str(error)) from None
    _check_manifest(folder, network, training)
    held_out = held_out_windows(prices, network.config.window, training) if prices is not None else None
    model, weights = (folder / "model.onnx").read_bytes(), folder / "weights.npz"
    return certify(network, model, weights, _windows(network, held_out, seed), held_out.words if held_out else None)


def _check_manifest(folder: Path, network: Network, training: Mapping[str, Any]) -> None:
    """The manifest must say of the network what the checkpoint says."""
    stated = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    try:
        jsonschema.validate(stated, read_schema("manifest"))
    except jsonschema.ValidationError as error:
        raise GateRefused(f"{folder / 'manifest.json'}: {error.json_path}: {error.message}") from None
    for key, value in description_of(network, training).items():
        if stated[key] != value:
            raise GateRefused(f"{folder / 'manifest.json'}: {key} is {stated[key]!r}, in model_lstm.pth {value!r}")


def held_out_windows(prices: Prices, window: int, training: Mapping[str, Any]) -> HeldOut:
    """Up to 1,000 windows of `prices`, evenly spread, whose last close is later than any the training saw."""
    first = first_rows(prices, window, 0)
    if not len(first):
        raise InputError(f"no series of the prices has the {window} closes of one window")
    since = (training.get("data") or {}).get("last_date")
    if since is not None:
        first = first[prices.ds[first + window - 1] > np.datetime64(since)]
    if not len(first):  # the table ends where training did
        first, since = first_rows(prices, window, 0), None
    chosen = first[np.linspace(0, len(first) - 1, min(HELD_OUT_WINDOWS, len(first))).astype(np.int64)]
    names = np.searchsorted(prices.starts, chosen, side="right")
    words = f"{len(chosen):,} windows of {len(np.unique(names))} series" + (
        f" after {since}" if since else ", some seen in training"
    )
    return HeldOut("held out" if since else "given", closes_of(prices, chosen, window), words)


def golden_of(network: Network, equations: gates.Weights) -> dict[str, Any]:
    """A few made windows and PyTorch's answers; the tolerance is the gate's, as these windows feel it in price."""
    config = network.config
    made = probes(config, GOLDEN_WINDOWS - 2, seed=2025)
    prices = np.concatenate([made["random walks"], made["adversarial"][:2]])
    with torch.no_grad():
        quantiles = network(torch.from_numpy(prices))[1].numpy()
    _, scale = gates.encode(equations, prices)
    head = gates.undecode(equations, quantiles, scale, prices)
    nudge = tolerance_of(config)[0] * np.maximum(1.0, np.abs(head))
    moved = gates.decode(equations, head + nudge, scale, prices)
    return {
        "schema_version": SCHEMA_VERSION,
        "relative_tolerance": float(
            np.max(np.abs(moved - quantiles) / np.maximum(np.abs(quantiles), prices[:, -1:, None]))
        ),
        "prices": prices.tolist(),
        "quantiles": quantiles.tolist(),
    }


def _windows(network: Network, held_out: HeldOut | None, seed: int = 0) -> dict[str, Array]:
    windows = probes(network.config, PROBE_WINDOWS, seed)
    return {**windows, held_out.name: held_out.prices} if held_out else windows
