"""A made evaluation and what is drawn beside it, in the shape that `efemera evaluate` hands to the report."""

from __future__ import annotations

import contextlib
import copy
import math

import numpy as np
import pytest

from export.evaluation.report import style
from export.evaluation.report.fan_charts import Fan
from export.evaluation.report.plots import Detail

LEVELS = [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975]
PROMISED = {"95": 0.95, "80": 0.8, "50": 0.5}
METHODS = ("efemera", "naive", "drift", "constant", "ewma", "garch")
SLOW = ("auto_ets", "auto_theta")
ERROR = {"efemera": 0.9996, "naive": 1.0, "drift": 1.0035, "auto_ets": 1.012, "auto_theta": 1.006}  # against naive
PINBALL = {  # against EWMA
    "efemera": 0.9978, "constant": 1.021, "ewma": 1.0, "garch": 1.0012, "auto_ets": 1.09, "auto_theta": 1.05,
}  # fmt: skip
MISSED = {"efemera": 0.002, "constant": 0.011, "ewma": -0.011, "garch": -0.006}  # coverage of 80% beyond its promise
NO_SHARE = {"share": math.nan, "low": math.nan, "high": math.nan, "majority": math.nan}


def made_evaluation(series=("PETR4", "VALE3", "ITUB4"), months=96, without=(), cases=5600, seed=0):
    """A plausible evaluation of a fixed model."""
    random = np.random.default_rng(seed)
    methods = [name for name in METHODS if name not in without]
    slow = [name for name in SLOW if name not in without]
    scores = [_line("all", step, cases, methods, random) for step in range(6)]
    for turn, part in enumerate(("low", "middle", "high")):
        scores.append(_line(f"volatility {part}", 1, cases // 3, methods, random, tilt=turn - 1))
    scores += [_line(f"series {name}", 1, cases // len(series), methods, random, noise=0.01) for name in series]
    if slow:
        first = [_line("first days of folds", step, 183, [*methods, *slow], random, noise=0.01) for step in range(6)]
        scores += [_without_intervals(line) for line in first]
    return {
        "schema_version": 1,
        "model_version": "2026.11.25-abcd1234",
        "model_digest": "0123456789ab",
        "verdict": "calibrated",
        "reasons": [
            "The 80% interval held 80.2% of the closes and the 95% interval 94.8%, within the margins allowed.",
            "The median is no better than the last close: the error is 1.000 times as large (0.998 to 1.002).",
        ],
        "evaluated_at": "2026-11-25T20:00:00+00:00",
        "mode": "fixed",
        "data": {
            "ids": list(series),
            "rows": 62_500,
            "first_cutoff": "2017-09-18",
            "last_cutoff": "2025-08-21",
            "sha256": "0123456789abcdef" * 4,
            "seen": "2 of these 3 series, up to 2017-09-15",
        },
        "settings": {"refit_every": 63, "horizon": 5, "quantiles": LEVELS, "draws": 1000, "block": 20, "seeds": []},
        "cases": cases,
        "scores": scores,
        "comparisons": [
            _comparison(name, measure, step, random)
            for name in methods
            for measure in ("pinball", "absolute error")
            for step in range(6)
            if name != "efemera" and (measure == "absolute error" or name in PINBALL)
        ],
        "reliability": {
            name: [[level, level - 0.8 * MISSED[name] * np.sin(2 * np.pi * level)] for level in LEVELS]
            for name in methods
            if name in PINBALL
        },
        "months": _months(months, cases, random),
        "notes": ["GARCH: 183 fits; 2 did not converge"] if "garch" in methods else [],
    }


def _line(part, step, cases, methods, random, noise=0.0, tilt=0):
    return {
        "part": part,
        "step": step,
        "cases": cases,
        "methods": {name: _measures(name, step, cases, random.normal(0, noise + 1e-4), tilt) for name in methods},
    }


def _measures(name, step, cases, shift, tilt):
    error = 1.0 if name == "naive" else ERROR.get(name, 1.0004) + shift / 2
    scores = {
        "rel_mae": error,
        "theils_u": error,
        "mase": 0.98 * error * max(step, 2) ** 0.5,
        "rmsse": 0.97 * error * max(step, 2) ** 0.5,
        "r2": (1 - error) / 3,
        "direction": {"share": 0.512, "low": 0.505, "high": 0.519, "majority": 0.514} if name != "naive" else NO_SHARE,
    }
    if name in PINBALL:
        pinball = 0.00412 * max(step, 2) ** 0.5 * (PINBALL[name] + shift)
        tilt *= 0.08 if name == "constant" else 0.006
        scores |= {"pinball": pinball, "wql": pinball * 1.3, "crps": pinball * 1.9, "coverage": {}, "winkler": {}}
        for level, promised in PROMISED.items():
            share = promised + (MISSED.get(name, 0) - tilt + shift) * 5 * promised * (1 - promised)
            wide = 4 * (share * (1 - share) / cases) ** 0.5  # as of dates, which move together
            scores["coverage"][level] = {"share": share, "low": share - wide, "high": min(1.0, share + wide)}
            scores["winkler"][level] = pinball * 5 / (1 - promised) ** 0.5
    return scores


def _without_intervals(line):
    """Take the intervals away, as of too few dates for a bootstrap."""
    for scores in line["methods"].values():
        for cover in scores.get("coverage", {}).values():
            cover["low"] = cover["high"] = math.nan
    return line


def without_intervals(evaluation):
    """The same, of so few dates that no part but all has an interval of its coverage."""
    scores = [line if line["part"] == "all" else _without_intervals(line) for line in evaluation["scores"]]
    return {**evaluation, "scores": scores}


def stood_still(evaluation):
    """The same, of closes that never moved and got forecasts that say so: no loss, and nothing to divide by."""
    told = copy.deepcopy(evaluation)
    for line in told["scores"]:
        for scores in line["methods"].values():
            scores |= dict.fromkeys(("rel_mae", "theils_u", "mase", "rmsse", "r2"), math.nan)
            if "pinball" in scores:
                scores |= {"pinball": 0.0, "wql": math.nan, "crps": 0.0}
    for line in told["comparisons"]:
        line |= dict.fromkeys(("ratio", "low", "high", "statistic", "p_value"), math.nan)
    for month in told["months"]:
        month["volatility"] = 0.0
    return told


def _comparison(name, measure, step, random):
    ratio = PINBALL["efemera"] / PINBALL[name] if measure == "pinball" else 0.9996 / ERROR.get(name, 1.0004)
    ratio += random.normal(0, 3e-4)
    wide = 0.002 + 0.001 * step
    return {
        "against": name, "measure": measure, "step": step,
        "ratio": ratio, "low": ratio - wide, "high": ratio + wide, "statistic": -1.2, "p_value": 0.23,
    }  # fmt: skip


def _months(months, cases, random):
    days = np.datetime64("2017-09") + np.arange(months)
    volatility = 0.012 * np.exp(np.cumsum(random.normal(0, 0.12, months)) * 0.5)
    shifts = random.normal(0, 1, months)
    return [
        {
            "month": str(day),
            "cases": cases // months,
            "coverage": {
                level: min(1.0, promised + 0.2 * promised * (1 - promised) * shift)
                for level, promised in PROMISED.items()
            },
            "volatility": float(sigma),
        }
        for day, shift, sigma in zip(days, shifts, volatility, strict=True)
    ]


def made_detail(names=("PETR4", "ITUB4", "VALE3"), horizon=5, seed=0):
    """Fans as wide as the volatility that made the closes, and a training of 30 epochs after the untrained network."""
    random = np.random.default_rng(seed)
    dates = np.arange("2024-01-01", "2025-06-01", dtype="datetime64[D]")
    normal = np.array([-1.96, -1.28, -0.674, 0, 0.674, 1.28, 1.96])
    fans = []
    for turn, name in enumerate(names):
        sigma = 0.015 * np.exp(np.sin(np.arange(len(dates)) / 9) / 2)
        closes = 30 * np.exp(np.cumsum(random.normal(0, sigma)))
        at = np.arange(300, 360, horizon + 1)
        spread = sigma[at, None, None] * np.sqrt(np.arange(1, horizon + 1))[:, None] * normal
        rank = ("best", "median", "worst")[turn]
        fans.append(
            Fan(rank, name, 0.99 + turn / 100, dates, closes, dates[at], closes[at, None, None] * np.exp(spread))
        )
    history = [
        {
            "epoch": epoch,
            "train_loss": 0.2310 + 0.004 * np.exp(-epoch / 4) - epoch * 2e-5 if epoch else math.nan,
            "validation_loss": 0.2322 + 0.003 * np.exp(-epoch / 4) + max(0, epoch - 14) * 3e-5,
        }
        for epoch in range(31)
    ]
    return Detail(tuple(fans), history)


@contextlib.contextmanager
def coarse_pictures():
    """Pictures of few dots, drawn sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "DPI", 60)
        yield
