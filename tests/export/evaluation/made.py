"""Made cases and forecasts for the tests of what is computed from them."""

from __future__ import annotations

import numpy as np

from export.data.prices import Prices, make_prices
from export.data.sample import made_market
from export.evaluation.cases import Cases, Forecast

DAY = np.datetime64("2020-01-01")
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


def market(*lengths: int, seed: int = 0) -> Prices:
    """Made series S0, S1, … of these lengths on successive days; all end on the same one."""
    longest = max(lengths)
    closes = made_market(len(lengths), longest, seed)
    days = DAY + np.arange(longest)
    return make_prices({f"S{k}": (days[-length:], closes[k, -length:]) for k, length in enumerate(lengths)})


def made_cases(*lengths: int, horizon: int = 3, seed: int = 0) -> Cases:
    """Series A, B, … with so many cutoffs each, on successive days, of which all series have the last ones."""
    random = np.random.default_rng(seed)
    total, longest = sum(lengths), max(lengths)
    trailing = random.uniform(0.005, 0.03, total)
    daily = random.normal(0, 1, (total, horizon)) * trailing[:, None]
    return Cases(
        ids=tuple("ABCDEFGH"[: len(lengths)]),
        owners=np.repeat(np.arange(len(lengths)), lengths),
        rows=np.arange(total),
        cutoffs=np.concatenate([DAY + np.arange(longest - length, longest) for length in lengths]),
        returns=np.cumsum(daily, axis=1),
        trailing=trailing,
    )


def made_forecast(cases: Cases, levels: tuple[float, ...] = LEVELS, seed: int = 1) -> Forecast:
    """Rising quantiles of any kind, and the one in the middle as the median."""
    random = np.random.default_rng(seed)
    spread = random.uniform(0.2, 1.8, (*cases.returns.shape, 1)) * cases.trailing[:, None, None]
    quantiles = random.normal(0, 0.005, (*cases.returns.shape, 1)) + spread * (4 * np.asarray(levels) - 2)
    return Forecast(quantiles[..., len(levels) // 2], quantiles)


def made_point_forecast(cases: Cases, seed: int = 2) -> Forecast:
    """A median alone."""
    return Forecast(np.random.default_rng(seed).normal(0, 0.01, cases.returns.shape))


def hand_cases(cutoffs: list[str], returns: list[float], trailing: list[float]) -> Cases:
    """One series, one step."""
    size = len(cutoffs)
    days, steps = np.array(cutoffs, "datetime64[D]"), np.array(returns)[:, None]
    return Cases(("A",), np.zeros(size, np.int64), np.arange(size), days, steps, np.array(trailing))


def same_quantiles(count: int, *quantiles: float) -> Forecast:
    """The same for each of so many cases, one step ahead; a median of 0."""
    return Forecast(np.zeros((count, 1)), np.tile(quantiles, (count, 1, 1)))
