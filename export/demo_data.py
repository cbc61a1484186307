"""The demo's prices: real closes that come with matplotlib, and a made market beside them. Nothing is downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.typing import NDArray

from export.data.prices import Prices, make_prices

REAL_ID = "GOOG"


def demo_prices(series: int = 23, seed: int = 0) -> Prices:
    """Google's adjusted daily closes 2004-2008 (matplotlib's sample data) and `series` made ones on the same days."""
    archive: Any = get_sample_data("goog.npz")
    real = archive["price_data"]
    days = real["date"].astype("datetime64[D]")
    table = {REAL_ID: (days, real["adj_close"].astype(np.float64))}
    for number, closes in enumerate(made_market(series, len(days), seed), start=1):
        table[f"MADE{number}"] = (days, closes)
    return make_prices(table, sources=("matplotlib goog.npz", f"made market, seed {seed}"))


def made_market(series: int, days: int, seed: int) -> NDArray[np.float64]:
    """Seeded closes (series, days) whose volatility clusters and whose returns have fat tails.

    GARCH(1,1) with Student-t shocks of 5 degrees of freedom (Bollerslev 1987), about 1.6% a day. Its volatility
    returns to that level faster (persistence 0.90) than EWMA's, which never does: something for a network to learn.
    """
    generator = np.random.default_rng(seed)
    alpha, beta, variance = 0.15, 0.75, np.full(series, 0.016**2)
    omega = variance * (1 - alpha - beta)
    shocks = generator.standard_t(5, (days, series)) * np.sqrt(3 / 5)  # unit variance
    returns = np.empty((days, series))
    for day in range(days):
        returns[day] = np.sqrt(variance) * shocks[day]
        variance = omega + alpha * returns[day] ** 2 + beta * variance
    return np.asarray(np.exp(np.cumsum(returns, axis=0) + np.log(generator.uniform(10, 200, series))).T)
