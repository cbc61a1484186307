"""Parity gate: PyTorch, onnxruntime and the guide's equations in NumPy must give the same forecasts, or no export.

Differences are judged in units of the network's float32 output (`head`), where rounding happens; everything
after it is float64. They are also recorded as prices, log returns and units in the last place.
"""

from __future__ import annotations

import copy
import dataclasses
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from export.conversion.artefacts import SCHEMA_VERSION, library_versions
from export.errors import GateRefused
from export.training.config import Config
from export.training.network import Network
from lambda_fn.model import gates
from lambda_fn.model.forecaster import open_session

Array = NDArray[np.float64]
Forecast = Callable[[Array], Array]  # prices (batch, window) → quantiles (batch, horizon, quantiles)

BATCH_SIZES = (1, 2, 7, 64, 1000)
STIRRED, STIRRED_BATCH = "with a stirred Linear", 64
STIRRED_WEIGHTS = {"linear.weight": 0.3, "volatility.weight": 0.1}  # and the deviation of the noise
FIGURES = ("price_absolute", "price_relative", "log_return_absolute", "log_return_relative", "head", "head_ulp")
UNIT_ROUNDOFF = 2.0**-24  # float32, round to nearest


def tolerance_of(config: Config) -> tuple[float, str]:
    """Return the largest |Δhead| / max(1, |head|) that float32 arithmetic explains, and the reason in words.

    A sum of n products rounds by at most n·u relative to the sum of magnitudes (Higham, Accuracy and Stability
    of Numerical Algorithms, 2002, section 3.1). The longest sums are the gates': 1 or hidden inputs, hidden
    recurrent terms, two biases; each of the two sides may be one such sum off. That leaves no room for errors that
    grow from day to day, and should not: in a network that lets them, the answer is noise, and the gate refuses it.
    """
    reason = (
        f"two float32 computations, each within n u of exact: n = {_longest_sum(config.hidden_size)} terms in "
        "the longest gate sum, u = 2^-24 (Higham 2002, section 3.1)"
    )
    return tolerance_for(config.hidden_size), reason


def tolerance_for(hidden_size: int) -> float:
    """Return the tolerance of a network of this hidden size."""
    return 2 * _longest_sum(hidden_size) * UNIT_ROUNDOFF


def _longest_sum(hidden_size: int) -> int:
    """Count the terms in the longest sum of a network."""
    return 2 * hidden_size + 2


def certify(
    network: Network, model: bytes, weights: Path, windows: Mapping[str, Array], held_out: str | None
) -> dict[str, Any]:
    """Run every window through the three implementations in every batch size; returns the certificate, without digest.

    `windows` maps a name to prices (count, window). Raises `GateRefused` naming the first case beyond tolerance.
    """
    tolerance, reason = tolerance_of(network.config)
    try:
        equations = gates.load_weights(weights)
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise GateRefused(f"parity: {weights.name} can't be read ({error})") from None
    cases = list(_cases(network, model, equations, windows, BATCH_SIZES))
    cases += _cases(*_stirred(network, model, equations), {STIRRED: next(iter(windows.values()))}, (STIRRED_BATCH,))
    for case in cases:
        if not case["head"] <= tolerance:  # a NaN is not within tolerance either
            raise GateRefused(
                f"parity: {case['pair']} differ by {case['head']:.2g} in units of the network's output, more than "
                f"{tolerance:.2g} ({case['windows']}, batch {case['batch']}; relative in price: "
                f"{case['price_relative']:.2g})"
            )
    return {
        "schema_version": SCHEMA_VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tolerance": {"head": tolerance, "reason": reason},
        "held_out": held_out,
        "cases": cases,
        "worst": {figure: max(case[figure] for case in cases) for figure in FIGURES},
        "libraries": library_versions(),
    }


def _cases(
    network: Network, model: bytes, equations: gates.Weights, windows: Mapping[str, Array], sizes: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Compare each pair of implementations on each set of windows in each batch size."""
    implementations = _torch(network), _onnxruntime(model)
    for name, prices in windows.items():
        equal_in_any_batch = gates.forecast(equations, prices)  # NumPy's, to the last digits of float64
        for size in sizes:
            rows, exact = _fill(prices, size), _fill(equal_in_any_batch, size)
            eager, served = (_in_batches(forecast, rows, size) for forecast in implementations)
            for pair, one, other in (
                ("onnxruntime - pytorch", served, eager),
                ("numpy - pytorch", exact, eager),
                ("onnxruntime - numpy", served, exact),
            ):
                figures = differences(equations, rows, one, other)
                yield {"windows": name, "batch": size, "pair": pair, "count": len(rows), **figures}


def _stirred(network: Network, model: bytes, equations: gates.Weights) -> tuple[Network, bytes, gates.Weights]:
    """Put the same seeded noise into all three in place of the weights that the head is computed by.

    A head that training never moved reads nothing of the last hidden state or of the volatility features, and would
    hide any fault before it.
    """
    generator = np.random.default_rng(0)
    twin, graph, arrays = copy.deepcopy(network), onnx.load_from_string(model), dict(equations.arrays)
    for name, weight in twin.named_parameters():
        if name not in STIRRED_WEIGHTS:
            continue
        noise = generator.normal(0, STIRRED_WEIGHTS[name], tuple(weight.shape)).astype(np.float32)
        stored = [tensor for tensor in graph.graph.initializer if tensor.name == name]
        if len(stored) != 1 or tuple(stored[0].dims) != noise.shape:
            raise GateRefused(f"parity: the graph does not hold {name}")
        with torch.no_grad():
            weight.copy_(torch.from_numpy(noise))
        stored[0].CopyFrom(onnx.numpy_helper.from_array(noise, name))
        arrays[name] = noise.astype(np.float64)
    return twin, graph.SerializeToString(), dataclasses.replace(equations, arrays=arrays)


def _torch(network: Network) -> Forecast:
    network.eval()

    def forecast(prices: Array) -> Array:
        with torch.no_grad():
            quantiles: Array = network(torch.from_numpy(prices))[1].numpy()
        return quantiles

    return forecast


def _onnxruntime(model: bytes) -> Forecast:
    """Run the graph with the options `lambda_fn` serves it with; both outputs must hold the same median."""
    session = open_session(model)

    def forecast(prices: Array) -> Array:
        try:
            predicted, quantiles = session.run(["predicted_price", "quantiles"], {"prices": prices})
        except Exception as error:  # onnxruntime's errors share no base class; any of them refuses the graph
            raise GateRefused(f"parity: onnxruntime can't run a batch of {len(prices)}: {error}") from error
        middle = quantiles.shape[2] // 2
        if not np.array_equal(predicted, quantiles[:, 0, middle]):
            raise GateRefused("parity: predicted_price is not the median of step 1 among the quantiles")
        return np.asarray(quantiles)

    return forecast


def _fill(prices: Array, size: int) -> Array:
    """Repeat the windows in turn to fill at least one batch of `size`."""
    repeats = -(-size // len(prices))
    return np.concatenate([prices] * repeats) if repeats > 1 else prices


def _in_batches(forecast: Forecast, rows: Array, size: int) -> Array:
    forecasts = []
    for start in range(0, len(rows), size):
        batch = np.ascontiguousarray(rows[start : start + size])  # (batch, window)
        quantiles = forecast(batch)  # (batch, horizon, quantiles)
        if len(quantiles) != len(batch):
            raise GateRefused(f"parity: {len(batch)} windows were answered with {len(quantiles)} forecasts")
        forecasts.append(quantiles)
    return np.concatenate(forecasts)


def differences(equations: gates.Weights, prices: Array, one: Array, other: Array) -> dict[str, float]:
    """Largest difference of two sets of quantiles (count, horizon, quantiles) in each of `FIGURES`.

    Prices are compared relative to the forecast or the last close, whichever is larger; log returns where both
    prices are positive. A figure is infinite where either side is not finite.
    """
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return dict.fromkeys(FIGURES, float("inf"))
    _, scale = gates.encode(equations, prices)  # (count, 1)
    head_one, head_other = (gates.undecode(equations, side, scale, prices) for side in (one, other))
    head = np.abs(head_one - head_other)
    last = prices[:, -1:, None]
    positive = (one > 0) & (other > 0)
    log_return = np.abs(np.log(np.where(positive, one / other, 1.0)))
    moved = np.abs(np.log(np.where(positive, other / last, 1.0)))
    worst = {
        "price_absolute": np.abs(one - other),
        "price_relative": np.abs(one - other) / np.maximum(np.abs(other), last),
        "log_return_absolute": log_return,
        "log_return_relative": log_return / np.maximum(moved, scale[:, :, None]),
        "head": head / np.maximum(1.0, np.abs(head_other)),
        "head_ulp": head / np.spacing(np.maximum(1.0, np.abs(head_other)).astype(np.float32)),
    }
    return {figure: float(values.max()) for figure, values in worst.items()}
