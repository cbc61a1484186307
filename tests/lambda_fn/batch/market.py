"""Made closes for the batch tests: long tables `unique_id, ds, y`, and windows made to be hard."""

from __future__ import annotations

import numpy as np
import pandas as pd

DAY = "2026-11-19"  # a Thursday; B3 rests on the Friday after it, New York does not
ROWS = 70  # of a series: ten more than the model reads


def days(rows=ROWS, last=DAY):
    """List the last weekdays up to a day."""
    return pd.bdate_range(end=last, periods=rows)


def table(series=40, rows=ROWS, last=DAY, seed=0):
    """Make a long table of random walks, each by its days."""
    generator = np.random.default_rng(seed)
    start = 10 ** generator.uniform(-1, 3, (series, 1))
    closes = start * np.exp(np.cumsum(generator.normal(0, 0.02, (series, rows)), axis=1))
    names = [f"S{number:04}" for number in range(series)]
    return pd.DataFrame(
        {"unique_id": np.repeat(names, rows), "ds": np.tile(days(rows, last), series), "y": closes.ravel()}
    )


def one(name, closes, last=DAY):
    """Make one series of these closes."""
    closes = np.asarray(closes, np.float64)
    return pd.DataFrame({"unique_id": name, "ds": days(len(closes), last), "y": closes})


def hard_windows():
    """Make windows of sixty closes as a model seldom meets them, by name."""
    flat, steps = np.ones(60), np.arange(60)
    return {
        "constant": 7 * flat,
        "one jump up": np.where(steps < 59, 5.0, 500.0),
        "one jump down": np.where(steps < 30, 900.0, 0.9),
        "highest": 1e12 * flat,
        "lowest": 1e-9 * flat,
        "from lowest to highest": np.geomspace(1e-9, 1e12, 60),
        "from highest to lowest": np.geomspace(1e12, 1e-9, 60),
        "between the ends": np.where(steps % 2, 1e-9, 1e12),
        "tiny moves": 1 + 1e-15 * steps,
        "alternating": np.where(steps % 2, 10.0, 11.0),
        "trend": 1.05**steps,
        "decay": 0.9**steps,
        "last moves alone": np.where(steps < 59, 3.0, 3.0000000001),
    }
