"""Compute the network in NumPy float64 as the study guide writes it: six equations a day, from `weights.npz` alone.

The only copy of the equations, used twice: as the third implementation of the parity gate (float64, so it is the
reference the two float32 ones are measured against) and as the gate trace of one forecast.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EWMA_DECAY = 0.94
SCALE_FLOOR, SCALE_CEILING = 1e-4, 1.0
INPUT_LIMIT = 8.0
FEATURE_LIMIT, TYPICAL_SCALE, SMALLEST_MEAN = 2.0, 0.01, 1e-2


@dataclasses.dataclass(frozen=True)
class Weights:
    """Contents of `weights.npz`: every array under its PyTorch name, and the network's configuration."""

    cell: str
    head: str
    scaling: str
    window: int
    horizon: int
    quantiles: tuple[float, ...]
    layers: int
    arrays: Mapping[str, Array]

    @property
    def hidden_size(self) -> int:
        """Units in a layer."""
        return int(self.arrays["lstm.weight_hh_l0"].shape[1])


def load_weights(source: Path | BinaryIO) -> Weights:
    """Read `weights.npz`, a path or an open file, without pickle; arrays come back as float64."""
    with np.load(source, allow_pickle=False) as stored:
        values: dict[str, Any] = {name: stored[name] for name in stored.files}
    plain = {name: values.pop(name).item() for name in ("cell", "head", "scaling", "window", "horizon", "layers")}
    quantiles = tuple(values.pop("quantiles").tolist())
    return Weights(**plain, quantiles=quantiles, arrays={k: v.astype(np.float64) for k, v in values.items()})


def forecast(weights: Weights, prices: Array) -> Array:
    """Forecast price quantiles (batch, horizon, quantiles) from closing prices (batch, window)."""
    x, scale = encode(weights, prices)  # (batch, window), (batch, 1)
    last_hidden = trace(weights, x)[-1]["hidden"][-1]  # (batch, hidden)
    return decode(weights, head(weights, last_hidden, x, scale), scale, prices)


def trace(weights: Weights, x: Array) -> list[dict[str, Array]]:
    """Trace every gate and state of each layer on each day.

    Takes the network's input (batch, window). Each layer's dict holds arrays (window, batch, hidden): for an
    LSTM `forget`, `input`, `candidate`, `output`, `cell` and `hidden`; for a GRU `reset`, `update`,
    `candidate` and `hidden`; for a simple RNN `hidden`.
    """
    layers: list[dict[str, Array]] = []
    inputs = x.T[:, :, None]  # (window, batch, 1)
    for layer in range(weights.layers):
        w_ih, w_hh, b_ih, b_hh = (
            weights.arrays[f"lstm.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        state = {"hidden": np.zeros((x.shape[0], w_hh.shape[1]))}  # h and c are born at zero …
        if weights.cell == "lstm":
            state["cell"] = np.zeros_like(state["hidden"])
        days = []
        for today in inputs @ w_ih.T + b_ih:  # (batch, gates × hidden)
            state = CELLS[weights.cell](today, state["hidden"] @ w_hh.T, b_hh, state)
            days.append(state)
        layers.append({name: np.array([day[name] for day in days]) for name in days[0]})
        inputs = layers[-1]["hidden"]  # (window, batch, hidden)
    return layers  # … and die here


def _lstm(today: Array, memory: Array, bias: Array, before: dict[str, Array]) -> dict[str, Array]:
    """The guide's six equations (Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000)."""
    z = today + memory + bias  # W x_t + U h_{t-1} + b of the four gates
    gates = _sigmoid(z)  # of all four at once: for one window a call of NumPy costs more than the sums it does
    enter, forget, _, output = _parts(gates, 4)  # i_t = σ(z_i), f_t = σ(z_f), o_t = σ(z_o)
    candidate = np.tanh(_parts(z, 4)[2])  # g_t = tanh(z_g)
    cell = forget * before["cell"] + enter * candidate  # c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
    hidden = output * np.tanh(cell)  # h_t = o_t ⊙ tanh(c_t)
    return {
        "forget": forget,
        "input": enter,
        "candidate": candidate,
        "output": output,
        "cell": cell,
        "hidden": hidden,
    }


def _gru(today: Array, memory: Array, bias: Array, before: dict[str, Array]) -> dict[str, Array]:
    """Cho et al. 2014 as PyTorch computes it: the reset gate acts after the recurrent product."""
    (xr, xz, xn), (hr, hz, hn) = _parts(today, 3), _parts(memory + bias, 3)
    reset, update = _sigmoid(xr + hr), _sigmoid(xz + hz)
    candidate = np.tanh(xn + reset * hn)
    hidden = (1 - update) * candidate + update * before["hidden"]
    return {"reset": reset, "update": update, "candidate": candidate, "hidden": hidden}


def _rnn(today: Array, memory: Array, bias: Array, before: dict[str, Array]) -> dict[str, Array]:
    """Elman 1990: h_t = tanh(W x_t + U h_{t-1} + b)."""
    del before
    return {"hidden": np.tanh(today + memory + bias)}


def _parts(z: Array, count: int) -> list[Array]:
    """The gates' shares of (…, gates × hidden); np.split takes a third of a day's time for it."""
    size = z.shape[-1] // count
    return [z[..., start : start + size] for start in range(0, count * size, size)]


CELLS = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}


def head(weights: Weights, last_hidden: Array, x: Array, scale: Array) -> Array:
    """Last hidden state (batch, hidden), input (batch, window) and scale (batch, 1) → ordered quantiles of the scaled
    return (batch, horizon, quantiles)."""
    raw = last_hidden @ weights.arrays["linear.weight"].T + weights.arrays["linear.bias"]
    if weights.head == "guide":
        return np.asarray(raw[:, :, None])  # (batch, 1, 1)
    raw = raw.reshape(-1, weights.horizon, 3)
    location, log_width = raw[:, :, :1], raw[:, :, 1:]
    if "volatility.weight" in weights.arrays:
        wider = volatility_features(x, scale) @ weights.arrays["volatility.weight"].T  # (batch, horizon × 2)
        log_width = log_width + wider.reshape(log_width.shape)
    width = np.exp(log_width)
    gaps = np.logaddexp(0.0, weights.arrays["base_gaps"])  # softplus; (horizon, quantiles - 1)
    middle = weights.quantiles.index(0.5)
    below = np.cumsum(gaps[:, :middle][:, ::-1], axis=1)[:, ::-1]
    above = np.cumsum(gaps[:, middle:], axis=1)
    return np.concatenate([location - below * width[:, :, :1], location, location + above * width[:, :, 1:]], axis=2)


def volatility_features(x: Array, scale: Array) -> Array:
    """Compute seven features of tomorrow's volatility (batch, 7) from input (batch, window) and scale (batch, 1)."""
    fall = np.minimum(x, 0.0)
    sizes = [_mean(x * x, 1.0), _mean(np.abs(x), 0.87), _mean(np.abs(x), 0.94)]
    falls = [_mean(fall * fall, 0.87) - 0.5, _mean(fall * fall, 0.97) - 0.5]
    logarithms = [np.log(np.maximum(size, SMALLEST_MEAN)) for size in sizes]
    level = np.log(scale[:, 0] / TYPICAL_SCALE)
    features = np.stack([*logarithms, level, *falls, x[:, -1] / 2], axis=1)
    return np.asarray(np.clip(features, -FEATURE_LIMIT, FEATURE_LIMIT))


def _mean(values: Array, decay: float) -> Array:
    """The mean of each row (batch, window), of later days more; day 0 has no return."""
    weights = decay ** np.arange(values.shape[1] - 1, -1, -1, dtype=np.float64)
    weights[0] = 0.0
    return np.asarray(values @ (weights / weights.sum()))


def encode(weights: Weights, prices: Array) -> tuple[Array, Array]:
    """Prices (batch, window) → the network's input, rounded to float32 as the graph does, and scale (batch, 1)."""
    scale = np.ones((len(prices), 1))
    if (affine := _affine(weights.scaling)) is not None:
        offset, factor = affine
        x = (prices - offset) / factor
    else:
        x = np.log(prices / np.concatenate([prices[:, :1], prices[:, :-1]], axis=1))
        if weights.scaling == "ewma":
            share = EWMA_DECAY ** np.arange(weights.window - 1, -1, -1, dtype=np.float64)
            share[0] = 0.0
            scale = np.clip(np.sqrt((x * x) @ (share / share.sum()))[:, None], SCALE_FLOOR, SCALE_CEILING)
            x = np.clip(x / scale, -INPUT_LIMIT, INPUT_LIMIT)
    return x.astype(np.float32).astype(np.float64), scale


def decode(weights: Weights, scaled: Array, scale: Array, prices: Array) -> Array:
    """Head (batch, horizon, quantiles) → prices of the same shape."""
    if (affine := _affine(weights.scaling)) is not None:
        offset, factor = affine
        return scaled * factor + offset
    return np.asarray(np.exp(scaled * scale[:, :, None]) * prices[:, -1:, None])


def undecode(weights: Weights, quantiles: Array, scale: Array, prices: Array) -> Array:
    """The head that `decode` would turn into these prices; NaN where a return scaling met a price below zero."""
    if (affine := _affine(weights.scaling)) is not None:
        offset, factor = affine
        return (quantiles - offset) / factor
    with np.errstate(invalid="ignore"):
        return np.asarray(np.log(quantiles / prices[:, -1:, None]) / scale[:, :, None])


def _affine(scaling: str) -> tuple[float, float] | None:
    """Offset and factor of the constant scalings; None for those that read returns."""
    name, _, numbers = scaling.partition(":")
    if name == "none":
        return 0.0, 1.0
    if name not in ("minmax", "standard"):
        return None
    first, second = (float(part) for part in numbers.split(","))
    return first, second - first if name == "minmax" else second


def _sigmoid(z: Array) -> Array:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))  # σ(z), without overflow for any z
