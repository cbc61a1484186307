"""The demo's prices: real closes that come with matplotlib, and a made market beside them. Nothing is downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.cbook import get_sample_data

from export.data.price_table import Prices, make_prices
from export.data.sample import made_market

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
