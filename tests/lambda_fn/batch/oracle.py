"""Oracle of a batch run in pandas and NumPy: another reading of the same closes, another way to the same sums."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lambda_fn.batch.forecast import WINDOWS_PER_RUN
from lambda_fn.batch.served_model import forecaster

QUANTILES = {  # column → position among the model's quantiles
    "efemera": 3, "efemera-lo-95": 0, "efemera-lo-80": 1, "efemera-lo-50": 2,
    "efemera-hi-50": 4, "efemera-hi-80": 5, "efemera-hi-95": 6,
}  # fmt: skip
LEVELS = {"95": (0.025, 0.975), "80": (0.1, 0.9), "50": (0.25, 0.75)}


def in_blocks(windows):
    """Closes (series, 60) → price quantiles (series, 5, 7), in blocks of one size filled with something else."""
    windows = np.asarray(windows, np.float64)
    filled = np.concatenate([windows, np.full((-len(windows) % WINDOWS_PER_RUN, 60), 3.0)])
    blocks = [
        forecaster().quantiles(filled[start : start + WINDOWS_PER_RUN])
        for start in range(0, len(filled), WINDOWS_PER_RUN)
    ]
    return np.concatenate(blocks)[: len(windows)]


def last_windows(closes, as_of):
    """Cut a clean long table to each series' last sixty closes up to a day: (last days, windows), by unique_id."""
    known = closes[pd.to_datetime(closes["ds"]) <= as_of].sort_values(["unique_id", "ds"], kind="stable")
    last = known.groupby("unique_id").tail(60)
    cutoffs = last.groupby("unique_id")["ds"].max()
    return cutoffs, last["y"].to_numpy(np.float64).reshape(len(cutoffs), 60)


def forecasts(closes, as_of):
    """Compute the forecasts table of a clean long table: rows by unique_id and step."""
    cutoffs, windows = last_windows(closes, as_of)
    found = in_blocks(windows)
    rows = pd.DataFrame({name: found[:, :, position].ravel() for name, position in QUANTILES.items()})
    rows.insert(0, "step", np.tile(np.arange(1, 6, dtype=np.int32), len(cutoffs)))
    rows.insert(0, "unique_id", np.repeat(cutoffs.index.astype(str), 5))
    return rows


def scores(made, closes, after):
    """Compute the scores of earlier runs, row for row of the scores table.

    `made` holds (as_of, forecasts, status) of each run; `closes` what is known now. Scored are the steps that fell
    after the day `after`: the step-th row of a series after its cutoff, in returns since it.
    """
    closes = closes.assign(ds=pd.to_datetime(closes["ds"])).sort_values(["unique_id", "ds"])
    rows, series = [], {name: own.tail(30).reset_index(drop=True) for name, own in closes.groupby("unique_id")}
    for as_of, forecasts, status in made:
        last_prices = status.set_index("unique_id")["last_price"]
        for name, steps in forecasts.groupby("unique_id"):
            if name not in series:
                continue
            known = dict(zip(("ds", "y"), (series[name][column].tolist() for column in ("ds", "y")), strict=True))
            cutoff = pd.Timestamp(steps["cutoff"].iloc[0])
            if cutoff not in known["ds"]:
                continue
            at = known["ds"].index(cutoff)
            base = known["y"][at]
            for step in steps.to_dict("records"):
                later = at + step["step"]
                if later >= len(known["ds"]) or known["ds"][later] <= pd.Timestamp(after):
                    continue
                met = np.log(known["y"][later] / base)
                told = {column: np.log(step[column] / last_prices[name]) for column in QUANTILES}
                losses = [
                    max(quantile * (met - told[column]), (quantile - 1) * (met - told[column]))
                    for column, quantile in _quantile_of.items()
                ]
                rows.append(
                    {
                        "ds": known["ds"][later], "step": step["step"], "as_of": pd.Timestamp(as_of), "series": 1,
                        "mae": abs(met - told["efemera"]), "mae_naive": abs(met), "pinball": np.mean(losses),
                    }
                    | {
                        f"coverage-{level}": float(told[f"efemera-lo-{level}"] <= met <= told[f"efemera-hi-{level}"])
                        for level in LEVELS
                    }
                )  # fmt: skip
    every = pd.DataFrame(rows)
    keys = ["ds", "as_of", "step"]
    means = every.groupby(keys).mean().drop(columns="series")
    means.insert(0, "series", every.groupby(keys)["series"].sum())
    return means.reset_index()


_quantile_of = {"efemera": 0.5} | {
    f"efemera-{side}-{level}": quantile
    for level, pair in LEVELS.items()
    for side, quantile in zip(("lo", "hi"), pair, strict=True)
}
