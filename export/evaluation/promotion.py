"""Promotion gate: a candidate takes the champion's place only where it has earned it on the same held-out rows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.conversion.artefacts import DATA_FILES, write_set
from export.data.prices import Prices
from export.errors import GateRefused, InputError
from export.evaluation.backtest import Settings, evaluate_model
from export.evaluation.baselines import Progress
from export.evaluation.evaluation_file import EVALUATION, evaluation_json, write_files
from export.evaluation.methods.efemera import ExportedModel
from export.evaluation.report.model_card import model_card
from export.evaluation.scores import OURS, case_losses, compare

CARD = "README.md"


@dataclasses.dataclass(frozen=True)
class Candidacy:
    """A candidate as the gate judged it."""

    evaluation: dict[str, Any]  # of the candidate
    against: dict[str, float] | None  # pinball over all steps against the champion's: ratio, low, high, …; None: none
    objections: list[str]  # sentences; empty where it may be promoted


def stand(
    prices: Prices, candidate: Path, champion: Path | None, settings: Settings, on_progress: Progress
) -> Candidacy:
    """Judge the candidate beside the baselines and the champion, on cases that neither has seen.

    It is objected to where its verdict is `rejected`, or its pinball loss is significantly above the champion's.
    Raises what `evaluate_model` raises, and `InputError` where the two models do not forecast the same.
    """
    model, training = ExportedModel(candidate), _training(candidate)
    first, other = settings.first, None
    if champion is not None:
        other, seen = ExportedModel(champion), _training(champion)
        if (other.horizon, other.levels) != (model.horizon, model.levels):
            raise InputError(
                f"{candidate} and {champion} do not forecast the same steps and quantiles; "
                "there is no fair comparison, so promote with --no-champion"
            )
        first = _unseen_by_both(prices, (training, seen), model.horizon, first)
    if training is not None and first is not None and first <= np.datetime64(training["last_date"]):
        _refuse_seen(prices, training, first)
    settings = dataclasses.replace(settings, first=first)
    evaluation, backtest = evaluate_model(prices, model, training, settings, on_progress)
    objections = list(evaluation["reasons"]) if evaluation["verdict"] == "rejected" else []
    against = None
    if other is not None:
        forecasts = (backtest.forecasts[OURS], other.forecast(prices, backtest.cases))
        ours, theirs = (case_losses(backtest.cases, forecast, model.levels) for forecast in forecasts)
        against = compare(ours, theirs, backtest.cases.cutoffs, model.horizon)
        if against["low"] > 1:
            objections.append(
                f"It is worse than the champion {other.version}; its pinball loss beside that one's: "
                f"{against['ratio']:.4f} ({against['low']:.4f} to {against['high']:.4f})."
            )
    return Candidacy(evaluation, against, objections)


def promote(candidacy: Candidacy, candidate: Path, folder: Path, *, forced: str | None = None, notes: str = "") -> None:
    """Put the candidate's set, its evaluation and its card, with `notes` in Markdown, into `folder`.

    Raises `GateRefused` where there are objections and no reason to force it; the folder is then as it was.
    """
    if candidacy.objections and not forced:
        raise GateRefused(f"not promoted: {' '.join(candidacy.objections)}")
    evaluation = dict(candidacy.evaluation)
    if candidacy.objections and forced:
        evaluation["forced"] = forced
    manifest = json.loads((candidate / "manifest.json").read_text(encoding="utf-8"))
    about = {EVALUATION: evaluation_json(evaluation), CARD: model_card(evaluation, manifest, notes).encode()}
    write_set(folder, {name: (candidate / name).read_bytes() for name in DATA_FILES}, manifest)
    write_files(folder, about, str(folder))


def _unseen_by_both(
    prices: Prices, trainings: Sequence[dict[str, Any] | None], horizon: int, wanted: np.datetime64 | None
) -> np.datetime64:
    """Find the first cutoff after the training data of both models, or take the one that is wanted."""
    if wanted is not None:
        return wanted
    ends = [np.datetime64(one["last_date"]) for one in trainings if one is not None]
    if len(ends) < len(trainings):
        raise InputError("a model does not say what it was trained on; say from which day on to judge both: --from")
    later = np.unique(prices.ds[prices.ds > max(ends)])
    if len(later) <= horizon + 1:
        raise InputError(
            f"the models were trained on closes up to {max(ends)}; the table has {len(later)} sessions after that"
        )
    return np.datetime64(later[horizon])


def _refuse_seen(prices: Prices, training: dict[str, Any], first: np.datetime64) -> None:
    """Refuse to judge a candidate on what it was trained on."""
    if common := sorted(set(training["ids"]) & set(prices.ids)):
        raise InputError(
            f"--from {first}: the candidate was trained on {common[0]} up to {training['last_date']}; "
            "judge it from later on, or on other series"
        )


def _training(folder: Path) -> dict[str, Any] | None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    training: dict[str, Any] | None = manifest["training_data"]
    return training
