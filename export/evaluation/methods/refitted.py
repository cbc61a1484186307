"""The forecasts of a network that is trained anew for each fold, on what was known before it."""

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
from export.errors import InputError
from export.evaluation.cases import Array, Cases, Forecast
from export.evaluation.folds import Fold
from export.evaluation.process_pools import ending
from export.training.config import Config
from export.training.network import Network
from export.training.train import train

BLOCK = 256  # windows at a time


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
    found = np.full((len(cases), config.horizon, len(config.quantiles)), np.nan)
    on_fold(0, len(folds))
    if processes > 1:
        several = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _end_on_interrupt)
        with ending(several) as pool:
            futures = {
                pool.submit(_trained_for, prices, cases.take(fold.cases), fold.known_until, config): fold
                for fold in folds
            }
            for done, future in enumerate(as_completed(futures), start=1):
                found[futures[future].cases] = future.result()
                on_fold(done, len(folds))
    else:
        for done, fold in enumerate(folds, start=1):
            found[fold.cases] = _trained_for(prices, cases.take(fold.cases), fold.known_until, config)
            on_fold(done, len(folds))
    return Forecast(found[:, :, config.median_index], found)


def _end_on_interrupt() -> None:
    """Ctrl-C ends a training at once: what was trained so far is of no use."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _trained_for(prices: Prices, cases: Cases, day: np.datetime64, config: Config) -> Array:
    """What a network trained for the fold that begins on a day says of its cases."""
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
    """The closes up to `horizon` sessions before `day`; series that are too short by then are left out."""
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
    """What a network says of each case, in log returns since its cutoff: (cases, horizon, levels)."""
    network.eval()
    window = np.arange(1 - network.config.window, 1)
    parts = []
    for start in range(0, len(cases), BLOCK):
        closes = torch.from_numpy(prices.y[cases.rows[start : start + BLOCK, None] + window])
        _, quantiles = network(closes)
        parts.append(torch.log(quantiles / closes[:, -1:, None]).numpy())
    return np.concatenate(parts)
