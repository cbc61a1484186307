"""Parity and the scale law of the committed model, as figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from export.bundle import check_bundle
from export.prices import Prices
from export.probes import random_walks
from lambda_fn.forecaster import Forecaster

FACTORS = 10.0 ** np.arange(-6, 7)


def parity_rows(models: Path, prices: Prices) -> Iterator[tuple[str, ...]]:
    """The worst difference of each batch size, over all pairs and windows but the adversarial ones for prices."""
    certificate = check_bundle(models, prices)
    for batch in sorted({case["batch"] for case in certificate["cases"]}):
        cases = [case for case in certificate["cases"] if case["batch"] == batch]
        held_out = [case for case in cases if case["windows"] == "held out"]
        yield (
            f"{batch:,}",
            f"{max(case['price_absolute'] for case in held_out):.1e}",
            *(
                f"{max(case[figure] for case in group):.1e}"
                for figure in ("price_relative", "log_return_absolute")
                for group in (held_out, cases)
            ),
            f"{max(case['head'] for case in cases) / certificate['tolerance']['head']:.3f}",
        )


def scale_law(models: Path) -> float:
    """The worst |answer(k p) / (k answer(p)) − 1| over k from 1e-6 to 1e6."""
    forecaster = Forecaster(models)
    prices = random_walks(500, forecaster.manifest.window, seed=9)
    before = forecaster.quantiles(prices)
    return max(float(np.abs(forecaster.quantiles(prices * k) / (before * k) - 1).max()) for k in FACTORS)
