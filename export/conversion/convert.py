"""Export a network: ONNX graph → weights → parity gate → golden windows → the set on disk; or prove a set again."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.conversion.artefacts import (
    SCHEMA_VERSION,
    check_version,
    description_of,
    manifest_of,
    weights_npz,
    write_set,
)
from export.conversion.onnx_graph import OPSET, export_onnx
from export.conversion.parity import certify, tolerance_of
from export.conversion.parity_windows import HeldOut, held_out_windows, probes
from export.data.prices import Prices
from export.errors import GateRefused, InputError
from export.schemas import as_json, parse_artefact
from export.training.checkpoint import read_checkpoint, save_checkpoint
from export.training.network import Network
from lambda_fn.model import gates
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.manifest import ModelRefused

GOLDEN_WINDOWS = 6
PROBE_WINDOWS = 256


def export_bundle(
    network: Network,
    training: Mapping[str, Any],
    out: Path,
    *,
    held_out: HeldOut | None = None,
    model_version: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Export, prove and write one set; returns the manifest and the certificate.

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
        certificate = _prove(network, model, weights_path, held_out, seed=0)
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
    return _prove(network, model, weights, held_out, seed)


def _check_manifest(folder: Path, network: Network, training: Mapping[str, Any]) -> None:
    """Raise `GateRefused` where the manifest describes another network than the checkpoint's."""
    stated = parse_artefact("manifest", (folder / "manifest.json").read_bytes(), folder)
    for key, value in description_of(network, training).items():
        if stated[key] != value:
            raise GateRefused(f"{folder / 'manifest.json'}: {key} is {stated[key]!r}, in model_lstm.pth {value!r}")


def _prove(network: Network, model: bytes, weights: Path, held_out: HeldOut | None, seed: int) -> dict[str, Any]:
    """Run the parity gate on made windows and on the held-out ones; returns the certificate."""
    windows = probes(network.config, PROBE_WINDOWS, seed)
    if held_out:
        windows[held_out.name] = held_out.prices
    return certify(network, model, weights, windows, held_out.words if held_out else None)


def golden_of(network: Network, equations: gates.Weights) -> dict[str, Any]:
    """Return a few made windows and PyTorch's quantiles; the tolerance is the gate's, turned into price."""
    config = network.config
    windows = probes(config, GOLDEN_WINDOWS - 2, seed=2025)
    prices = np.concatenate([windows["random walks"], windows["adversarial"][:2]])  # (golden, window)
    with torch.no_grad():
        quantiles = network(torch.from_numpy(prices))[1].numpy()  # (golden, horizon, quantiles)
    _, scale = gates.encode(equations, prices)  # (golden, 1)
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
