"""Windows for the parity gate: random walks, shapes no market has drawn yet, and held-out prices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.data.prices import Prices
from export.errors import InputError
from export.training.config import Config
from export.training.windows import first_rows

Array = NDArray[np.float64]

HELD_OUT_WINDOWS = 1000


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Real windows, and the words that say which they are and whether the weights have seen them."""

    name: str  # "held out", or "given" where training may have seen some
    prices: Array  # (count, window)
    words: str


def random_walks(count: int, window: int, seed: int) -> Array:
    """Draw seeded geometric walks (count, window): daily volatility from 0.1% to 8%, fat tails, any price level."""
    generator = np.random.default_rng(seed)
    volatility = np.exp(generator.uniform(np.log(1e-3), np.log(0.08), (count, 1)))
    shocks = generator.standard_t(4, (count, window)) * volatility
    level = np.exp(generator.uniform(np.log(0.01), np.log(1e5), (count, 1)))
    return np.asarray(level * np.exp(np.cumsum(shocks, axis=1)))


def adversarial(window: int) -> dict[str, Array]:
    """Return named hard windows, each (1, window), with prices around 1 unless the name says otherwise."""
    day = np.arange(window)
    walk = random_walks(1, window, seed=1)[0]  # (window,)
    walk /= walk[0]
    middle, ones = window // 2, np.ones(window)
    shapes = {
        "constant": ones,
        "one jump": np.where(day < middle, 1.0, 2.5),
        "one crash": np.where(day < middle, 1.0, 0.01),
        "jump on the last day": np.where(day < window - 1, 1.0, 1.8),
        "jump on the first day": np.where(day < 1, 1.0, 1.8),
        "spike": np.where(day == middle, 9.0, 1.0),
        "rising 3% a day": 1.03**day,
        "falling 3% a day": 0.97**day,
        "alternating": np.where(day % 2 == 0, 1.0, 1.05),
        "alternating wildly": np.where(day % 2 == 0, 1.0, 1e3),
        "tiny moves": 1.0 + 1e-7 * np.sin(day),
        "huge prices": walk * 1e11,
        "tiny prices": walk * 1e-8,
        "the whole range in one day": np.where(day < window - 1, 1e-9, 1e12),
    }
    return {name: np.array(prices, dtype=np.float64)[None] for name, prices in shapes.items()}


def price_level(config: Config) -> tuple[float, float]:
    """Return centre and spread of the prices that a constant scaling was fitted on; (1, 0) for one of returns."""
    name, _, numbers = config.scaling.partition(":")
    if name == "minmax":
        low, high = (float(part) for part in numbers.split(","))
        return (low + high) / 2, (high - low) / 2
    if name == "standard":
        mean, deviation = (float(part) for part in numbers.split(","))
        return mean, deviation
    return 1.0, 0.0


def probes(config: Config, count: int, seed: int) -> dict[str, Array]:
    """Return `count` random walks and the adversarial windows, at price levels the model's scaling can read."""
    centre, spread = price_level(config)
    walks, hard = random_walks(count, config.window, seed), adversarial(config.window)
    if spread:  # constant scaling: the shapes, moved to where the scaler was fitted
        walks = centre + spread * np.tanh(np.log(walks / walks[:, :1]))
        hard = {name: centre + spread * np.tanh(np.log(prices / prices[:, :1])) for name, prices in hard.items()}
    return {"random walks": walks, "adversarial": np.concatenate(list(hard.values()))}


def held_out_windows(prices: Prices, window: int, training: Mapping[str, Any]) -> HeldOut:
    """Choose up to 1,000 windows of `prices`, evenly spread, whose last close is later than any the training saw."""
    first = first_rows(prices, window, 0)
    if not len(first):
        raise InputError(f"no series of the prices has the {window} closes of one window")
    since = (training.get("data") or {}).get("last_date")
    if since is not None:
        first = first[prices.ds[first + window - 1] > np.datetime64(since)]
    if not len(first):  # the table ends where training did
        first, since = first_rows(prices, window, 0), None
    chosen = first[np.linspace(0, len(first) - 1, min(HELD_OUT_WINDOWS, len(first))).astype(np.int64)]
    series = np.searchsorted(prices.starts, chosen, side="right")
    words = f"{len(chosen):,} windows of {len(np.unique(series))} series" + (
        f" after {since}" if since else ", some seen in training"
    )
    return HeldOut("held out" if since else "given", prices.y[chosen[:, None] + np.arange(window)], words)
