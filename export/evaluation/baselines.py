"""Forecast cases with every baseline, series by series in worker processes."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

import numpy as np
from numpy.typing import NDArray

from export.data.prices import Prices
from export.errors import InputError
from export.evaluation.cases import Cases, Fold, Forecast, cut_folds
from export.evaluation.methods import auto_ets_theta, garch, simple

SLOW = {"auto_ets": auto_ets_theta.auto_ets, "auto_theta": auto_ets_theta.auto_theta}

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class BaselineForecasts:
    """The baselines' forecasts of the cases of one series or of several."""

    forecasts: Mapping[str, Forecast]  # of every case
    slow_cases: NDArray[np.int64]  # positions of the cases that the slow methods forecast too
    slow: Mapping[str, Forecast]  # of those alone
    fits: garch.FitCounts


def forecast_baselines(
    prices: Prices,
    cases: Cases,
    folds: Sequence[Fold],
    levels: Sequence[float],
    *,
    slow: bool,
    processes: int,
    on_progress: Progress = lambda *_: None,
) -> BaselineForecasts:
    """Forecast the cases by every baseline; by AutoETS and AutoTheta, where `slow`, the first ones of folds.

    Raises `InputError` when a worker process was killed.
    """
    owners = [int(owner) for owner in np.unique(cases.owners)]
    parts: dict[int, BaselineForecasts] = {}
    pool = ProcessPoolExecutor(
        min(processes, len(owners)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(prices, cases, folds, tuple(levels), slow),
    )
    try:
        futures = {pool.submit(_forecast_series, owner): owner for owner in owners}
        for done, future in enumerate(as_completed(futures), start=1):
            try:
                parts[futures[future]] = future.result()
            except BrokenProcessPool:
                raise InputError(
                    "a process was ended by the system, perhaps for want of memory; try fewer --processes"
                ) from None
            on_progress("baselines", done, len(owners))
    finally:
        pool.shutdown(cancel_futures=True)  # a pool's own `with` would finish the work of an interrupted one
    in_order = [parts[owner] for owner in owners]  # as the cases are
    return BaselineForecasts(
        {name: _concatenate([part.forecasts[name] for part in in_order]) for name in in_order[0].forecasts},
        np.concatenate([part.slow_cases for part in in_order]),
        {name: _concatenate([part.slow[name] for part in in_order]) for name in in_order[0].slow},
        sum((part.fits for part in in_order), start=garch.FitCounts()),
    )


def default_processes() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_worker_input: tuple[Prices, Cases, Sequence[Fold], tuple[float, ...], bool] | None = None


def _start_worker(prices: Prices, cases: Cases, folds: Sequence[Fold], levels: tuple[float, ...], slow: bool) -> None:
    """Hold what every series needs, once a process."""
    global _worker_input
    _worker_input = (prices, cases, folds, levels, slow)


def _forecast_series(owner: int) -> BaselineForecasts:
    assert _worker_input is not None
    prices, all_cases, all_folds, levels, slow = _worker_input
    own = np.flatnonzero(all_cases.owners == owner)
    cases, folds = all_cases.take(own), cut_folds(all_folds, own)
    forecasts = {
        name: method(prices, cases, folds, levels)
        for name, method in (
            ("naive", simple.naive),
            ("drift", simple.drift),
            ("constant", simple.constant),
            ("ewma", simple.ewma),
        )
    }
    forecasts["garch"], fits = garch.garch(prices, cases, folds, levels)
    slow_cases, by_slow = np.empty(0, np.int64), {}
    if slow:
        for name, method in SLOW.items():
            slow_cases, by_slow[name] = method(prices, cases, folds, levels)
    return BaselineForecasts(forecasts, own[slow_cases], by_slow, fits)


def _concatenate(parts: list[Forecast]) -> Forecast:
    quantiles = [part.quantiles for part in parts if part.quantiles is not None]
    return Forecast(np.concatenate([part.median for part in parts]), np.concatenate(quantiles) if quantiles else None)
