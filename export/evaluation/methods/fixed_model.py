"""The forecasts of an exported model, by the very code that answers on Lambda."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from export.data.prices import Prices
from export.errors import GateRefused, InputError
from export.evaluation.cases import Cases, Forecast
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.manifest import ModelRefused

BLOCK = 48  # windows in one run of the graph


class FixedModel:
    """One exported set. Raises `GateRefused` when its files do not prove themselves."""

    def __init__(self, folder: Path) -> None:
        try:
            self._forecaster = Forecaster(folder)
        except ModelRefused as refusal:
            raise GateRefused(str(refusal)) from None
        manifest = self._forecaster.manifest
        self.folder = folder
        self.version, self.digest = manifest.model_version, self._forecaster.model_digest
        self.window, self.horizon, self.levels = manifest.window, manifest.horizon, tuple(manifest.quantiles)
        if len(self.levels) < 3:
            raise InputError(f"{folder}: the model says one number; only one with quantiles can be evaluated")

    def forecast(self, prices: Prices, cases: Cases) -> Forecast:
        """What it says of each case, from the last `window` closes up to the cutoff alone."""
        found = np.empty((len(cases), self.horizon, len(self.levels)))
        for start in range(0, len(cases), BLOCK):
            rows = cases.rows[start : start + BLOCK]
            windows = prices.y[rows[:, None] + np.arange(1 - self.window, 1)]  # (block, window)
            quantiles = self._forecaster.quantiles(np.ascontiguousarray(windows))
            found[start : start + BLOCK] = np.log(quantiles / windows[:, -1, None, None])
        return Forecast(found[:, :, len(self.levels) // 2], found)
