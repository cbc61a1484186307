"""Simulated markets of which the truth is known, and the small networks and settings that meet them."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import torch
from scipy.stats import t as student

from export.conversion.convert import export_bundle
from export.data.prices import make_prices
from export.evaluation.backtest import Settings
from export.evaluation.methods.efemera import known_to
from export.evaluation.promotion import stand
from export.training.config import Config
from export.training.train import train

SMALL = Config(
    window=30, horizon=2, quantiles=(0.1, 0.25, 0.5, 0.75, 0.9), hidden_size=4, layers=1, epochs=2, batch_size=128
)
QUICK = Settings(refit_every=200, slow=False, processes=1)
FREEDOM = 5.0  # of Student's t
UNIT = np.sqrt((FREEDOM - 2) / FREEDOM)  # makes its variance 1


def table_of(returns, first="2015-01-01"):
    """Prices of daily log returns (series, days), on successive days; the first close of each is 50."""
    days = np.datetime64(first) + np.arange(returns.shape[1] + 1)
    log = np.cumsum(np.pad(returns, ((0, 0), (1, 0))), axis=1)
    return make_prices({f"S{k}": (days, 50 * np.exp(one)) for k, one in enumerate(log)})


def random_walk(series=6, days=900, seed=0):
    """Independent normal returns of 1% a day: nothing can be foreseen, neither sign nor spread."""
    return table_of(0.01 * np.random.default_rng(seed).standard_normal((series, days)))


def garch_walk(series=6, days=900, seed=0, alpha=0.1, beta=0.88):
    """GARCH(1,1) with Student-t shocks: its prices, and of each row the true volatility of the next return."""
    shocks = UNIT * np.random.default_rng(seed).standard_t(FREEDOM, (days, series))
    level = 0.015**2
    variance = np.full((days + 1, series), level)
    for day in range(days):
        squares = variance[day] * shocks[day] ** 2
        variance[day + 1] = level * (1 - alpha - beta) + alpha * squares + beta * variance[day]
    sigma = np.sqrt(variance).T  # (series, days + 1)
    return table_of(sigma[:, :-1] * shocks.T), sigma.ravel()


def oracle_quantiles(cases, sigma, levels):
    """The true quantiles one session ahead: (cases, levels)."""
    return sigma[cases.rows, None] * UNIT * student.ppf(levels, FREEDOM)


def shuffled(prices, seed=0):
    """The same returns of each series in another order: what volatility told of the next day is gone."""
    generator = np.random.default_rng(seed)
    closes = [prices.series(name)[1] for name in prices.ids]
    return table_of(np.stack([generator.permutation(np.diff(np.log(one))) for one in closes]))


class InThisProcess(ThreadPoolExecutor):
    """Does the work of a pool of processes without the seconds that starting one takes."""

    def __init__(self, _workers, *, mp_context, initializer, initargs):
        del mp_context
        super().__init__(1, initializer=initializer, initargs=initargs)


in_this_process = patch("export.evaluation.baselines.ProcessPoolExecutor", InThisProcess)


@cache
def world():
    """Three GARCH series, of which the models below have seen the first 400 days."""
    return garch_walk(series=3, days=700, seed=1)[0]


@cache
def exported(kind):
    """The files of an exported set, name → bytes.

    `fine`: a trained network. `narrow`: its intervals a third as wide. `lopsided`: too narrow below and too wide
    above, so that coverage stays within the verdict's margins.
    """
    network, training = _trained()
    with torch.no_grad():
        gaps = torch.nn.functional.softplus(network.base_gaps)
        if kind == "narrow":
            gaps /= 3
        elif kind == "lopsided":
            gaps[:, :2] *= 0.85
            gaps[:, 2:] *= 1.15
        network.base_gaps.copy_(torch.log(torch.expm1(gaps)))
    with TemporaryDirectory() as folder:
        export_bundle(network, training, Path(folder), model_version=f"{kind}_1")
        return contents(folder)


def _trained():
    past = known_to(world(), world().ds.min() + 400, SMALL)
    with TemporaryDirectory() as folder:
        trained = train(past, dataclasses.replace(SMALL, test_share=0.0), Path(folder))
    data = {
        "ids": list(past.ids), "rows": len(past), "first_date": str(past.ds.min()), "last_date": str(past.ds.max()),
        "sha256": past.digest(),
    }  # fmt: skip
    return trained.network, {"data": data, "history": trained.history}


def put(kind, folder):
    """The exported set as files in `folder`."""
    folder.mkdir()
    for name, content in exported(kind).items():
        (folder / name).write_bytes(content)
    return folder


def contents(folder):
    """Every file in it, name → bytes."""
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@cache
def gate(candidate, champion=None):
    """Judge one exported set beside another at the promotion gate."""
    with TemporaryDirectory() as folder, in_this_process:
        folders = [put(kind, Path(folder) / kind) if kind else None for kind in (candidate, champion)]
        return stand(world(), *folders, QUICK, lambda *_: None)


def as_csv(prices, path):
    """The table as a file for `--prices`."""
    rows = (f"{prices.ids[owner]},{day},{y!r}" for owner, day, y in zip(
        prices.owners(), prices.ds, prices.y.tolist(), strict=True))  # fmt: skip
    path.write_text("\n".join(["unique_id,ds,y", *rows]) + "\n", encoding="utf-8")
    return path
