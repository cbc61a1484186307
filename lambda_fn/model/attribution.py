"""Attribute one forecast to the days of its window: gates of every day, what each added, what the memory still holds.

Numbers only. The gates come from the six equations (`gates.py`), the forecasts from the served graph, and nothing is
attributed when the two disagree.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lambda_fn.model import gates
from lambda_fn.model.forecaster import Array, Forecaster
from lambda_fn.model.gates import Weights
from lambda_fn.model.manifest import Disagreement

DAYS_PER_RUN = 20  # of the graph, a window each; `make bench` compares it with others
USUAL_LEVEL = 80.0  # percent
MEMORY = {"lstm": "forget", "gru": "update"}  # the gate that says how much of yesterday's state stays
POWER_ROUNDS = 30  # on real windows the order stands after 20
UNIT_ROUNDOFF = 2.0**-24  # float32, round to nearest


@dataclasses.dataclass(frozen=True)
class Attribution:
    """Attribution of one forecast. Days stand oldest first; prices are in the unit they came in."""

    prices: Array  # (window,)
    returns: Array  # (window,), simple: price / the day before's - 1; the first day has none, 0
    inputs: Array  # (window,), what the network read
    layers: list[dict[str, Array]]  # name of gate or state → (window, units)
    kept: list[Array | None]  # (window, units): how much of a day's state is there on the last; None for a simple RNN
    median: Array  # (window,), what each day added to the median of the first step
    width: Array  # (window,), likewise to the width of its interval; zeros where the model has none
    baseline: tuple[float, float]  # median and width if no day had a return
    forecast: tuple[float, float]  # median and width as they are
    level: float | None  # of that interval, in percent; None where the model has none
    difference: float  # largest between equations and graph, in units of the network's output, as parity measures it
    tolerance: float
    quantiles: Array  # (horizon, quantiles), of the graph: to the bit what `/predict` answers

    @cached_property
    def order(self) -> list[NDArray[np.intp]]:
        """Order the units (units,) of each layer so that structure shows; computed when first read."""
        return [unit_order(layer["hidden"]) for layer in self.layers]


@lru_cache(maxsize=1)
def served_weights(folder: Path, forecaster: Forecaster) -> Weights:
    """Read the weights beside the served graph, once.

    Raises `Disagreement` where the file is no longer the one that the forecaster verified at its start.
    """
    content = (folder / "weights.npz").read_bytes()
    if hashlib.sha256(content).hexdigest() != forecaster.manifest.files["weights.npz"]:
        raise Disagreement("weights.npz is no longer the file that manifest.json names")
    try:
        return gates.load_weights(io.BytesIO(content))
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise Disagreement(f"weights.npz can't be read ({error})") from None


def attribute_forecast(
    forecaster: Forecaster, weights: Weights, prices: Array, run: Callable[[Array], Array] | None = None
) -> Attribution:
    """Attribute the forecast of one window of closes (window,) to its days.

    `run` runs the graph, prices (batch, window) → quantiles (batch, horizon, quantiles); by default the forecaster's
    own. Raises `Disagreement` where the equations give another forecast than the graph.
    """
    check_weights(forecaster, weights)
    run = run or forecaster.quantiles
    window = prices[None, :]
    quantiles = run(window)[0]  # alone, as `/predict` runs it: in a batch its last bit may differ
    partial = revealed(prices)[:-1]
    parts = [run(partial[start : start + DAYS_PER_RUN])[:, 0] for start in range(0, len(partial), DAYS_PER_RUN)]
    first_step = np.concatenate([*parts, quantiles[None, 0]])  # (window, quantiles)
    level = nearest_level(forecaster)
    low, high = forecaster.intervals[level] if level is not None else (forecaster.median_index,) * 2
    medians, widths = first_step[:, forecaster.median_index], first_step[:, high] - first_step[:, low]

    x, scale = gates.encode(weights, window)
    layers = [{name: values[:, 0] for name, values in layer.items()} for layer in gates.trace(weights, x)]
    head = gates.head(weights, layers[-1]["hidden"][-1:], x, scale)
    tolerance = tolerance_for(weights)
    difference = head_difference(head, gates.undecode(weights, quantiles[None], scale, window))
    if not difference <= tolerance:  # NaN is no agreement either
        raise Disagreement(
            f"the equations on weights.npz and model.onnx differ by {difference:.2g} in units of the network's output,"
            f" more than {tolerance:.2g}"
        )
    return Attribution(
        prices=prices,
        returns=np.concatenate([[0.0], prices[1:] / prices[:-1] - 1]),
        inputs=x[0],
        layers=layers,
        kept=[kept(layer[MEMORY[weights.cell]]) if weights.cell in MEMORY else None for layer in layers],
        median=np.diff(medians, prepend=medians[0]),
        width=np.diff(widths, prepend=widths[0]),
        baseline=(float(medians[0]), float(widths[0])),
        forecast=(float(medians[-1]), float(widths[-1])),
        level=level,
        difference=difference,
        tolerance=tolerance,
        quantiles=quantiles,
    )


def revealed(prices: Array) -> Array:
    """Reveal a window (window,) day by day: known up to each of its days, without a return after it (window, window).

    Each row ends in the real last price, so that a model that reads prices, not returns, meets the level it is asked
    about. Row 0 knows nothing, for the first day has no return; the last row is the window itself, to the bit.
    """
    days = np.arange(len(prices))
    known = prices[np.minimum(days, days[:, None])]  # row k: up to day k, then day k's price
    return np.asarray(known * (prices[-1] / prices)[:, None])


def kept(gate: Array) -> Array:
    """Compute how much of each day's state is left on the last day: the product of the gates of the days after it.

    Gates (window, units) → the same shape; 1 on the last day.
    """
    after = np.concatenate([gate[1:], np.ones_like(gate[:1])])
    return np.asarray(np.cumprod(after[::-1], axis=0)[::-1])


def unit_order(hidden: Array) -> NDArray[np.intp]:
    """Order the units of a layer by their share in its main movement, so that those that move together are neighbours.

    That is the leading singular vector of the hidden states (window, units) about their means, by power iteration from
    the unit that moves most: LAPACK's threads can take fifty times as long on a busy machine. On real windows it parts
    the units that go with the market from those that go against it, which an order by mean forget gate scatters:
    trained gates all have nearly the same mean.
    """
    moved = hidden - hidden.mean(axis=0)
    share = np.zeros(hidden.shape[1])
    share[np.argmax((moved**2).sum(axis=0))] = 1.0
    for _ in range(POWER_ROUNDS):
        share = moved.T @ (moved @ share)
        share /= np.max(np.abs(share)) or 1.0  # a layer that never moves has no order
    return np.argsort(-share, kind="stable")


def nearest_level(forecaster: Forecaster) -> float | None:
    """Choose the model's interval level nearest 80%, the wider of two; None where it has no intervals."""
    return min(forecaster.intervals, key=lambda level: (abs(level - USUAL_LEVEL), -level), default=None)


def tolerance_for(weights: Weights) -> float:
    """Bound the difference of the network's output that float32 explains: the parity gate's own figure.

    Two float32 computations, each within n u of exact, n the terms of the longest gate sum (Higham 2002, section 3.1).
    """
    return 2 * (2 * weights.hidden_size + 2) * UNIT_ROUNDOFF


def head_difference(one: Array, other: Array) -> float:
    """Compute the largest |Δ| / max(1, |head|)."""
    return float(np.max(np.abs(one - other) / np.maximum(1.0, np.abs(other))))


def check_weights(forecaster: Forecaster, weights: Weights) -> None:
    """Check that `weights` are of the manifest's network. Raises `Disagreement`."""
    manifest = forecaster.manifest
    for name in ("cell", "head", "scaling", "window", "horizon", "layers", "hidden_size"):
        if (ours := getattr(weights, name)) != (served := getattr(manifest, name)):
            raise Disagreement(f"weights.npz has {name} {ours}, manifest.json says {served}")
    if list(weights.quantiles) != manifest.quantiles:
        raise Disagreement("weights.npz has other quantiles than manifest.json")
