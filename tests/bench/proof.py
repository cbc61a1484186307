"""Parity and the scale law of the committed model, as figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from export.conversion.convert import check_bundle
from export.conversion.parity_windows import random_walks
from export.data.prices import Prices
from lambda_fn.model.forecaster import Forecaster

FACTORS = 10.0 ** np.arange(-6, 7)


def parity_rows(models: Path, prices: Prices) -> Iterator[tuple[str, ...]]:
    """The worst difference of any pair in each batch size: on held-out windows, then on all of them.

    Over all windows no price difference is printed: some of their prices are 1e12.
    """
    certificate = check_bundle(models, prices)
    figures = ("price_absolute", "price_relative", "log_return_absolute", "log_return_relative")
    for batch in sorted({case["batch"] for case in certificate["cases"]}):
        cases = [case for case in certificate["cases"] if case["batch"] == batch]
        held_out = [case for case in cases if case["windows"] in ("held out", "given")]
        for name, group in ((held_out[0]["windows"], held_out), ("all", cases)):
            worst = [f"{max(case[figure] for case in group):.1e}" for figure in figures]
            share = max(case["head"] for case in group) / certificate["tolerance"]["head"]
            yield f"{batch:,}", name, worst[0] if group is held_out else "", *worst[1:], f"{share:.1%}"


def scale_law(models: Path) -> float:
    """The worst |answer(k p) / (k answer(p)) − 1| over k from 1e-6 to 1e6."""
    forecaster = Forecaster(models)
    prices = random_walks(500, forecaster.manifest.window, seed=9)
    before = forecaster.quantiles(prices)
    return max(float(np.abs(forecaster.quantiles(prices * k) / (before * k) - 1).max()) for k in FACTORS)
