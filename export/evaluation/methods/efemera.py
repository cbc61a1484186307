"""Forecast cases with the network: an exported model as it is served, or one trained anew for each fold."""

from __future__ import annotations

import dataclasses
import multiprocessing
import signal
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import torch

from export.data.price_table import starts_of
from export.data.prices import Prices
from export.errors import GateRefused, InputError
from export.evaluation.cases import Array, Cases, Fold, Forecast
from export.training.config import Config
from export.training.network import Network
from export.training.train import train
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.manifest import ModelRefused

WINDOWS_PER_RUN = 48  # of the exported graph
WINDOWS_PER_BATCH = 256  # of the network in PyTorch


class ExportedModel:
    """An exported set, run by the code that serves it. Raises `GateRefused` when its files do not prove themselves."""

    def __init__(self, folder: Path) -> None:
        try:
            self._forecaster = Forecaster(folder)
        except ModelRefused as refusal:
            raise GateRefused(str(refusal)) from None
        manifest = self._forecaster.manifest
        self.version, self.digest = manifest.model_version, self._forecaster.model_digest
        self.window, self.horizon, self.levels = manifest.window, manifest.horizon, tuple(manifest.quantiles)
        if len(self.levels) < 3:
            raise InputError(f"{folder}: the model says one number; only one with quantiles can be evaluated")

    def forecast(self, prices: Prices, cases: Cases) -> Forecast:
        """Forecast each case from the last `window` closes up to the cutoff alone."""
        quantiles = np.empty((len(cases), self.horizon, len(self.levels)))
        for start in range(0, len(cases), WINDOWS_PER_RUN):
            rows = cases.rows[start : start + WINDOWS_PER_RUN]
            windows = prices.y[rows[:, None] + np.arange(1 - self.window, 1)]  # (run, window)
            answers = self._forecaster.quantiles(np.ascontiguousarray(windows))
            quantiles[start : start + WINDOWS_PER_RUN] = np.log(answers / windows[:, -1, None, None])
        return Forecast(quantiles[:, :, len(self.levels) // 2], quantiles)


def refitted(
    prices: Prices,
    cases: Cases,
    folds: Sequence[Fold],
    config: Config,
    on_fold: Callable[[int, int], None] = lambda *_: None,
    processes: int = 1,
) -> Forecast:
    """Train on the closes up to each fold, less `horizon` sessions, and forecast its cases; (cases, horizon, levels).

    The part that chooses the epoch is the last of those closes, so that no test close chooses anything. Folds are
    trained side by side in `processes`, with the same result. Raises `InputError` when a fold leaves too little to
    train on.
    """
    quantiles = np.full((len(cases), config.horizon, len(config.quantiles)), np.nan)
    on_fold(0, len(folds))
    if processes > 1:
        pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _end_on_interrupt)
        try:
            futures = {
                pool.submit(_train_and_forecast, prices, cases.take(fold.cases), fold.known_until, config): fold
                for fold in folds
            }
            for done, future in enumerate(as_completed(futures), start=1):
                quantiles[futures[future].cases] = future.result()
                on_fold(done, len(folds))
        finally:
            pool.shutdown(cancel_futures=True)  # a pool's own `with` would finish the work of an interrupted one
    else:
        for done, fold in enumerate(folds, start=1):
            quantiles[fold.cases] = _train_and_forecast(prices, cases.take(fold.cases), fold.known_until, config)
            on_fold(done, len(folds))
    return Forecast(quantiles[:, :, config.median_index], quantiles)


def _end_on_interrupt() -> None:
    """End a training at once on Ctrl-C: what was trained so far is of no use."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _train_and_forecast(prices: Prices, cases: Cases, day: np.datetime64, config: Config) -> Array:
    """Train a network for the fold that begins on `day` and forecast its cases: (cases, horizon, levels)."""
    try:
        with tempfile.TemporaryDirectory(prefix="efemera-") as scratch:
            past = known_to(prices, day, config)
            network = train(past, dataclasses.replace(config, test_share=0.0), Path(scratch)).network
    except InputError as error:
        raise InputError(
            f"the closes before {day} are too few to train on ({error}); start later with --from"
        ) from None
    return forecast(network, prices, cases)


def known_to(prices: Prices, day: np.datetime64, config: Config) -> Prices:
    """Select the closes up to `horizon` sessions before `day`; series that are too short by then are left out."""
    sessions = np.unique(prices.ds[prices.ds <= day])
    last = sessions[max(len(sessions) - 1 - config.horizon, 0)]
    kept = prices.ds <= last
    lengths = np.add.reduceat(kept.astype(np.int64), prices.starts[:-1])
    enough = lengths >= config.window + config.horizon
    rows = kept & enough[prices.owners()]
    ids = tuple(name for name, good in zip(prices.ids, enough, strict=True) if good)
    return dataclasses.replace(prices, ids=ids, starts=starts_of(lengths[enough]), ds=prices.ds[rows], y=prices.y[rows])


@torch.no_grad()
def forecast(network: Network, prices: Prices, cases: Cases) -> Array:
    """Forecast each case with a network, in log returns since its cutoff: (cases, horizon, levels)."""
    network.eval()
    window = np.arange(1 - network.config.window, 1)
    parts = []
    for start in range(0, len(cases), WINDOWS_PER_BATCH):
        closes = torch.from_numpy(prices.y[cases.rows[start : start + WINDOWS_PER_BATCH, None] + window])
        _, quantiles = network(closes)
        parts.append(torch.log(quantiles / closes[:, -1:, None]).numpy())
    return np.concatenate(parts)
