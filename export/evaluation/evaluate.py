"""Walk forward over the cases with a model and every baseline, and score them on the same rows."""

from __future__ import annotations

import dataclasses
import datetime
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.data.prices import Prices
from export.errors import InputError
from export.evaluation.cases import Array, Cases, Forecast
from export.evaluation.folds import Fold, folds_of
from export.evaluation.methods import garch, simple, statistical
from export.evaluation.metrics import naive_scales
from export.evaluation.process_pools import ending
from export.evaluation.scorecard import (
    BLOCK,
    DRAWS,
    FEWEST_DATES,
    OURS,
    Scales,
    comparisons_of,
    months_of,
    reliability_of,
    scores_of,
)
from export.evaluation.verdict import verdict_of

SCHEMA_VERSION = 1
REFIT_EVERY = 63  # sessions, a quarter: how often baselines are fitted anew
SLOW = {"auto_ets": statistical.auto_ets, "auto_theta": statistical.auto_theta}

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Judged:
    """All methods on the same cases."""

    cases: Cases
    forecasts: Mapping[str, Forecast]
    asked: NDArray[np.int64]  # positions of the cases that the slow methods forecast too
    slow: Mapping[str, Forecast]  # of those alone
    notes: tuple[str, ...]


def judge(
    prices: Prices,
    cases: Cases,
    folds: Sequence[Fold],
    levels: Sequence[float],
    ours: Forecast,
    *,
    slow: bool,
    processes: int,
    on_progress: Progress = lambda *_: None,
) -> Judged:
    """Forecast the cases by every baseline, series by series in `processes`; `ours` stands first among the methods.

    Raises `InputError` when the cutoffs are on too few dates to tell chance from skill.
    """
    dates = len(np.unique(cases.cutoffs))
    if dates < FEWEST_DATES:
        raise InputError(
            f"{dates} cutoff dates are left to judge, of {FEWEST_DATES} at least: bring more closes, or --from earlier"
        )
    owners = [int(owner) for owner in np.unique(cases.owners)]
    parts: dict[int, _Part] = {}
    pool_of_series = ProcessPoolExecutor(
        min(processes, len(owners)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(prices, cases, folds, tuple(levels), slow),
    )
    with ending(pool_of_series) as pool:
        futures = {pool.submit(_of_one_series, owner): owner for owner in owners}
        for done, future in enumerate(as_completed(futures), start=1):
            try:
                parts[futures[future]] = future.result()
            except BrokenProcessPool:
                raise InputError(
                    "a process was ended by the system, perhaps for want of memory; try fewer --processes"
                ) from None
            on_progress("baselines", done, len(owners))
    names = list(parts[owners[0]].forecasts)
    found = {OURS: ours, **{name: _joined(cases, [parts[owner].forecasts[name] for owner in owners]) for name in names}}
    asked = np.concatenate([parts[owner].asked for owner in owners])
    after = {name: _concatenated([parts[owner].slow[name] for owner in owners]) for name in parts[owners[0]].slow}
    counts = sum((parts[owner].fits for owner in owners), start=garch.FitCounts())
    notes = (counts.note(),) if counts.kept or counts.targeted else ()
    return Judged(cases, found, asked, after, notes)


def evaluation_of(prices: Prices, judged: Judged, levels: Sequence[float], told: Mapping[str, Any]) -> dict[str, Any]:
    """All of `evaluation.json`, series by series too; `told` are its words on the model: version, digest, mode, …"""
    cases = judged.cases
    scores = scores_of(cases, judged.forecasts, _scales(prices, cases), levels)
    comparisons = comparisons_of(cases, judged.forecasts, levels)
    if judged.slow:
        few = cases.take(judged.asked)
        same = {name: _taken(one, judged.asked) for name, one in judged.forecasts.items()} | dict(judged.slow)
        lines = scores_of(few, same, _scales(prices, few), levels)
        scores += [{**line, "part": "first days of folds"} for line in lines if line["part"] == "all"]
    verdict, reasons = verdict_of(scores, comparisons)
    return {
        "schema_version": SCHEMA_VERSION,
        **{name: told[name] for name in ("model_version", "model_digest")},
        "verdict": verdict,
        "reasons": reasons,
        "evaluated_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "mode": told["mode"],
        "data": {
            "ids": [prices.ids[owner] for owner in np.unique(cases.owners)],
            "rows": len(prices),
            "first_cutoff": str(cases.cutoffs.min()),
            "last_cutoff": str(cases.cutoffs.max()),
            "sha256": prices.digest(),
            "seen": told["seen"],
        },
        "settings": {
            "refit_every": told["refit_every"],
            "horizon": cases.horizon,
            "quantiles": list(levels),
            "draws": DRAWS,
            "block": BLOCK,
            "seeds": told["seeds"],
        },
        "cases": len(cases),
        "scores": scores,
        "comparisons": comparisons,
        "reliability": reliability_of(cases, judged.forecasts, levels),
        "months": months_of(cases, judged.forecasts[OURS], levels),
        "notes": list(judged.notes),
    }


@dataclasses.dataclass(frozen=True)
class _Part:
    """The baselines of one series' cases."""

    forecasts: dict[str, Forecast]
    asked: NDArray[np.int64]  # positions among all cases
    slow: dict[str, Forecast]
    fits: garch.FitCounts


_given: tuple[Prices, Cases, Sequence[Fold], tuple[float, ...], bool] | None = None


def _start(prices: Prices, cases: Cases, folds: Sequence[Fold], levels: tuple[float, ...], slow: bool) -> None:
    """What every series needs, once a process."""
    global _given
    _given = (prices, cases, folds, levels, slow)


def _of_one_series(owner: int) -> _Part:
    assert _given is not None
    prices, all_cases, all_folds, levels, slow = _given
    own = np.flatnonzero(all_cases.owners == owner)
    cases, folds = all_cases.take(own), simple.cut_folds(all_folds, own)
    found = {
        name: method(prices, cases, folds, levels)
        for name, method in (
            ("naive", simple.naive),
            ("drift", simple.drift),
            ("constant", simple.constant),
            ("ewma", simple.ewma),
        )
    }
    found["garch"], fits = garch.counted_garch(prices, cases, folds, levels)
    asked, after = np.empty(0, np.int64), {}
    if slow:
        for name, method in SLOW.items():
            asked, after[name] = method(prices, cases, folds, levels)
    return _Part(found, own[asked], after, fits)


def _joined(cases: Cases, parts: list[Forecast]) -> Forecast:
    """The parts of all series, in the order of the cases: they are ordered by series."""
    whole = _concatenated(parts)
    assert len(whole.median) == len(cases)
    return whole


def _concatenated(parts: list[Forecast]) -> Forecast:
    quantiles = [part.quantiles for part in parts if part.quantiles is not None]
    return Forecast(np.concatenate([part.median for part in parts]), np.concatenate(quantiles) if quantiles else None)


def _taken(forecast: Forecast, which: NDArray[np.int64]) -> Forecast:
    return Forecast(forecast.median[which], None if forecast.quantiles is None else forecast.quantiles[which])


def _scales(prices: Prices, cases: Cases) -> Scales:
    """The daily changes of each case's series before its first cutoff."""
    absolute, squared = np.empty(len(cases)), np.empty(len(cases))
    for owner in np.unique(cases.owners):
        own = cases.owners == owner
        past: Array = np.log(prices.y[prices.starts[owner] : cases.rows[own].min() + 1])
        absolute[own], squared[own] = naive_scales(past)
    return Scales(absolute, squared)


def default_processes() -> int:
    """One a core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def folds_for(prices: Prices, cases: Cases, refit_every: int) -> list[Fold]:
    """The folds of an evaluation. Raises `InputError` for a stretch without a session."""
    if refit_every < 1:
        raise InputError(f"--refit-every: {refit_every} is no number of sessions")
    return folds_of(prices, cases, refit_every)
