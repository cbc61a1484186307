"""One evaluation from start to end: of an exported model as it is, or of a network trained anew for each fold."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from export.data.prices import Prices
from export.errors import InputError
from export.evaluation.cases import cases_of
from export.evaluation.evaluate import Judged, Progress, evaluation_of, folds_for, judge
from export.evaluation.leaks import refuse_look_ahead
from export.evaluation.methods.fixed_model import FixedModel
from export.training.config import Config


@dataclasses.dataclass(frozen=True)
class Settings:
    """How an evaluation goes; see `efemera evaluate --help`."""

    first: np.datetime64 | None = None  # no cutoff before it; None: where the training data of the model end
    refit_every: int = 63
    slow: bool = True  # AutoETS and AutoTheta too
    processes: int = 1


def evaluate_model(
    prices: Prices, model: FixedModel, training: dict[str, Any] | None, settings: Settings, on_progress: Progress
) -> tuple[dict[str, Any], Judged]:
    """The evaluation of an exported model on what it has not seen; `training` is its manifest's `training_data`.

    Raises `InputError` when nothing is left to judge, `GateRefused` when the model looks ahead.
    """
    first, seen = _unseen(prices, model, training, settings.first)
    cases = cases_of(prices, model.window, model.horizon, first)
    refuse_look_ahead(f"model {model.digest}", model.forecast, prices, cases)
    on_progress("the model's forecasts", 0, 1)
    ours = model.forecast(prices, cases)
    judged = judge(
        prices, cases, folds_for(prices, cases, settings.refit_every), model.levels, ours,
        slow=settings.slow, processes=settings.processes, on_progress=on_progress,
    )  # fmt: skip
    told = {
        "model_version": model.version, "model_digest": model.digest, "mode": "fixed", "seen": seen,
        "refit_every": settings.refit_every, "seeds": [],
    }  # fmt: skip
    return evaluation_of(prices, judged, model.levels, told), judged


def evaluate_training(
    prices: Prices, config: Config, seeds: list[int], settings: Settings, on_progress: Progress
) -> list[tuple[dict[str, Any], Judged]]:
    """Train anew for each fold, once a seed, and evaluate each; without `first` from the middle session on.

    Raises `InputError` when a fold leaves too little to train on.
    """
    from export.evaluation.methods.refitted import refitted  # PyTorch

    if len(config.quantiles) < 3:
        raise InputError("head: 'guide' says one number; only a network with quantiles can be evaluated")
    sessions = np.unique(prices.ds)
    first = settings.first if settings.first is not None else sessions[len(sessions) // 2]
    cases = cases_of(prices, config.window, config.horizon, first)
    folds = folds_for(prices, cases, settings.refit_every)
    found = []
    judged: Judged | None = None
    for seed in seeds:
        ours = refitted(
            prices, cases, folds, dataclasses.replace(config, seed=seed),
            lambda done, total, seed=seed: on_progress(f"training, seed {seed}", done, total),  # type: ignore[misc]
            settings.processes,
        )  # fmt: skip
        if judged is None:  # the baselines do not change with the seed
            judged = judge(
                prices, cases, folds, config.quantiles, ours,
                slow=settings.slow, processes=settings.processes, on_progress=on_progress,
            )  # fmt: skip
        judged = dataclasses.replace(judged, forecasts={**judged.forecasts, "efemera": ours})
        told = {
            "model_version": f"trained for each fold, seed {seed}", "model_digest": "0" * 12, "mode": "walk-forward",
            "seen": "in each fold the closes before it alone", "refit_every": settings.refit_every, "seeds": [seed],
        }  # fmt: skip
        found.append((evaluation_of(prices, judged, config.quantiles, told), judged))
    return found


def _unseen(
    prices: Prices, model: FixedModel, training: dict[str, Any] | None, wanted: np.datetime64 | None
) -> tuple[np.datetime64, str]:
    """The first cutoff, and what of the data the model has seen, in words."""
    if training is None:
        if wanted is None:
            raise InputError("the model does not say what it was trained on; say from which day on to judge it: --from")
        return wanted, "unknown: the model does not say what it was trained on"
    last = np.datetime64(training["last_date"])
    later = np.unique(prices.ds[prices.ds > last])
    common = sorted(set(training["ids"]) & set(prices.ids))
    words = f"{len(common)} of these {len(prices.ids)} series, up to {last}" if common else "none of these series"
    if wanted is not None:
        if wanted <= last and common:
            words += "; THE FIRST CUTOFFS ARE NOT LATER THAN THAT"
        return wanted, words
    if len(later) <= model.horizon + 1:
        raise InputError(
            f"the model was trained on closes up to {last}, and the table has {len(later)} sessions after that; "
            f"it needs later closes, or --from DAY for series it has not seen"
        )
    return later[model.horizon], words
