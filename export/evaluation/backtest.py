"""Backtest an exported model, or a training walked forward: forecasts beside the baselines, scores and verdict."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.data.prices import Prices
from export.errors import InputError
from export.evaluation.baselines import Progress, forecast_baselines
from export.evaluation.cases import Array, Cases, Fold, Forecast, cases_of, folds_of
from export.evaluation.look_ahead import refuse_look_ahead
from export.evaluation.methods.efemera import ExportedModel, refitted
from export.evaluation.metrics import naive_scales
from export.evaluation.scores import (
    BLOCK_SESSIONS,
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
from export.training.config import Config

SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of an evaluation; see `efemera evaluate --help`."""

    first: np.datetime64 | None = None  # no cutoff before it; None: where the training data of the model end
    refit_every: int = 63  # sessions, a quarter: how often baselines are fitted anew
    slow: bool = True  # AutoETS and AutoTheta too
    processes: int = 1


@dataclasses.dataclass(frozen=True)
class Backtest:
    """The forecasts of all methods on the same cases, ours first."""

    cases: Cases
    forecasts: Mapping[str, Forecast]
    slow_cases: NDArray[np.int64]  # positions of the cases that the slow methods forecast too
    slow: Mapping[str, Forecast]  # of those alone
    notes: tuple[str, ...]


def evaluate_model(
    prices: Prices, model: ExportedModel, training: dict[str, Any] | None, settings: Settings, on_progress: Progress
) -> tuple[dict[str, Any], Backtest]:
    """Evaluate an exported model on what it has not seen; `training` is its manifest's `training_data`.

    Raises `InputError` when nothing is left to judge, `GateRefused` when the model looks ahead.
    """
    first, seen = _unseen(prices, model, training, settings.first)
    cases = cases_of(prices, model.window, model.horizon, first)
    refuse_look_ahead(f"model {model.digest}", model.forecast, prices, cases)
    on_progress("the model's forecasts", 0, 1)
    ours = model.forecast(prices, cases)
    folds = folds_of(prices, cases, settings.refit_every)
    backtest = run_backtest(prices, cases, folds, model.levels, ours, settings, on_progress)
    source = {"model_version": model.version, "model_digest": model.digest, "mode": "fixed", "seen": seen, "seeds": []}
    return evaluation_of(prices, backtest, model.levels, settings.refit_every, source), backtest


def evaluate_training(
    prices: Prices, config: Config, seeds: list[int], settings: Settings, on_progress: Progress
) -> list[tuple[dict[str, Any], Backtest]]:
    """Train anew for each fold, once a seed, and evaluate each; without `first` from the middle session on.

    Raises `InputError` when a fold leaves too little to train on.
    """
    if len(config.quantiles) < 3:
        raise InputError("head: 'guide' says one number; only a network with quantiles can be evaluated")
    sessions = np.unique(prices.ds)
    first = settings.first if settings.first is not None else sessions[len(sessions) // 2]
    cases = cases_of(prices, config.window, config.horizon, first)
    folds = folds_of(prices, cases, settings.refit_every)
    evaluations = []
    backtest: Backtest | None = None
    for seed in seeds:
        ours = refitted(
            prices, cases, folds, dataclasses.replace(config, seed=seed),
            lambda done, total, seed=seed: on_progress(f"training, seed {seed}", done, total),  # type: ignore[misc]
            settings.processes,
        )  # fmt: skip
        if backtest is None:  # the baselines do not change with the seed
            backtest = run_backtest(prices, cases, folds, config.quantiles, ours, settings, on_progress)
        backtest = dataclasses.replace(backtest, forecasts={**backtest.forecasts, OURS: ours})
        source = {
            "model_version": f"trained for each fold, seed {seed}", "model_digest": "0" * 12, "mode": "walk-forward",
            "seen": "in each fold the closes before it alone", "seeds": [seed],
        }  # fmt: skip
        evaluations.append((evaluation_of(prices, backtest, config.quantiles, settings.refit_every, source), backtest))
    return evaluations


def run_backtest(
    prices: Prices,
    cases: Cases,
    folds: Sequence[Fold],
    levels: Sequence[float],
    ours: Forecast,
    settings: Settings,
    on_progress: Progress = lambda *_: None,
) -> Backtest:
    """Set our forecasts of the cases beside those of every baseline.

    Raises `InputError` when the cutoffs are on too few dates to tell chance from skill.
    """
    dates = len(np.unique(cases.cutoffs))
    if dates < FEWEST_DATES:
        raise InputError(
            f"{dates} cutoff dates are left to judge, of {FEWEST_DATES} at least: bring more closes, or --from earlier"
        )
    baselines = forecast_baselines(
        prices, cases, folds, levels, slow=settings.slow, processes=settings.processes, on_progress=on_progress
    )
    notes = (baselines.fits.note(),) if baselines.fits.kept or baselines.fits.targeted else ()
    return Backtest(cases, {OURS: ours, **baselines.forecasts}, baselines.slow_cases, baselines.slow, notes)


def evaluation_of(
    prices: Prices, backtest: Backtest, levels: Sequence[float], refit_every: int, source: Mapping[str, Any]
) -> dict[str, Any]:
    """Build the content of `evaluation.json`, with the scores of each series too.

    `source` describes the model: model_version, model_digest, mode, seen, seeds.
    """
    cases = backtest.cases
    scores = scores_of(cases, backtest.forecasts, _scales(prices, cases), levels)
    comparisons = comparisons_of(cases, backtest.forecasts, levels)
    if backtest.slow:
        few = cases.take(backtest.slow_cases)
        same = {name: _take(one, backtest.slow_cases) for name, one in backtest.forecasts.items()}
        lines = scores_of(few, same | dict(backtest.slow), _scales(prices, few), levels)
        scores += [{**line, "part": "first days of folds"} for line in lines if line["part"] == "all"]
    verdict, reasons = verdict_of(scores, comparisons)
    return {
        "schema_version": SCHEMA_VERSION,
        **{name: source[name] for name in ("model_version", "model_digest")},
        "verdict": verdict,
        "reasons": reasons,
        "evaluated_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "mode": source["mode"],
        "data": {
            "ids": [prices.ids[owner] for owner in np.unique(cases.owners)],
            "rows": len(prices),
            "first_cutoff": str(cases.cutoffs.min()),
            "last_cutoff": str(cases.cutoffs.max()),
            "sha256": prices.digest(),
            "seen": source["seen"],
        },
        "settings": {
            "refit_every": refit_every,
            "horizon": cases.horizon,
            "quantiles": list(levels),
            "draws": DRAWS,
            "block": BLOCK_SESSIONS,
            "seeds": source["seeds"],
        },
        "cases": len(cases),
        "scores": scores,
        "comparisons": comparisons,
        "reliability": reliability_of(cases, backtest.forecasts, levels),
        "months": months_of(cases, backtest.forecasts[OURS], levels),
        "notes": list(backtest.notes),
    }


def _take(forecast: Forecast, which: NDArray[np.int64]) -> Forecast:
    return Forecast(forecast.median[which], None if forecast.quantiles is None else forecast.quantiles[which])


def _scales(prices: Prices, cases: Cases) -> Scales:
    """Average the daily changes of each case's series before its first cutoff."""
    absolute, squared = np.empty(len(cases)), np.empty(len(cases))
    for owner in np.unique(cases.owners):
        own = cases.owners == owner
        past: Array = np.log(prices.y[prices.starts[owner] : cases.rows[own].min() + 1])
        absolute[own], squared[own] = naive_scales(past)
    return Scales(absolute, squared)


def _unseen(
    prices: Prices, model: ExportedModel, training: dict[str, Any] | None, wanted: np.datetime64 | None
) -> tuple[np.datetime64, str]:
    """Find the first cutoff, and describe what of the data the model has seen."""
    if training is None:
        if wanted is None:
            raise InputError("the model does not say what it was trained on; say from which day on to judge it: --from")
        return wanted, "unknown: the model does not say what it was trained on"
    last = np.datetime64(training["last_date"])
    later = np.unique(prices.ds[prices.ds > last])
    common = sorted(set(training["ids"]) & set(prices.ids))
    seen = f"{len(common)} of these {len(prices.ids)} series, up to {last}" if common else "none of these series"
    if wanted is not None:
        if wanted <= last and common:
            seen += "; THE FIRST CUTOFFS ARE NOT LATER THAN THAT"
        return wanted, seen
    if len(later) <= model.horizon + 1:
        raise InputError(
            f"the model was trained on closes up to {last}, and the table has {len(later)} sessions after that; "
            f"it needs later closes, or --from DAY for series it has not seen"
        )
    return later[model.horizon], seen
