"""The promotion gate: a candidate takes the champion's place only where it has earned it on the same held-out rows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.conversion.artefacts import DATA_FILES, write_set
from export.data.prices import Prices
from export.data.s3 import temporary_folder
from export.errors import GateRefused, InputError
from export.evaluation import metrics
from export.evaluation.cases import Array, Cases, Forecast
from export.evaluation.evaluate import Judged, Progress
from export.evaluation.methods.fixed_model import FixedModel
from export.evaluation.report.model_card import model_card
from export.evaluation.results import EVALUATION, evaluation_json
from export.evaluation.runs import Settings, evaluate_model
from export.evaluation.scorecard import OURS, compare

CARD = "README.md"


@dataclasses.dataclass(frozen=True)
class Candidacy:
    """What the gate found."""

    evaluation: dict[str, Any]  # of the candidate
    judged: Judged
    against: dict[str, float] | None  # pinball over all steps against the champion's: ratio, low, high, …; None: none
    objections: list[str]  # sentences; empty where it may be promoted


def stand(
    prices: Prices, candidate: Path, champion: Path | None, settings: Settings, on_progress: Progress
) -> Candidacy:
    """Judge the candidate beside the baselines and the champion, on cases that neither has seen.

    It is objected to where its verdict is `rejected`, or its pinball loss is significantly above the champion's.
    Raises what `evaluate_model` raises, and `InputError` where the two models do not forecast the same.
    """
    model, training = FixedModel(candidate), _training(candidate)
    first, other = settings.first, None
    if champion is not None:
        other, seen = FixedModel(champion), _training(champion)
        if (other.horizon, other.levels) != (model.horizon, model.levels):
            raise InputError(
                f"{candidate} and {champion} do not forecast the same steps and quantiles; "
                "there is no fair comparison, so promote with --no-champion"
            )
        first = _unseen_by_both(prices, (training, seen), model.horizon, first)
    if training is not None and first is not None and first <= np.datetime64(training["last_date"]):
        _refuse_seen(prices, training, first)
    settings = dataclasses.replace(settings, first=first)
    evaluation, judged = evaluate_model(prices, model, training, settings, on_progress)
    objections = list(evaluation["reasons"]) if evaluation["verdict"] == "rejected" else []
    against = None
    if other is not None:
        ours, theirs = judged.forecasts[OURS], other.forecast(prices, judged.cases)
        losses = [_losses(judged.cases, one, model.levels) for one in (ours, theirs)]
        against = compare(losses[0], losses[1], judged.cases.cutoffs, model.horizon)
        if against["low"] > 1:
            objections.append(
                f"It is worse than the champion {other.version}; its pinball loss beside that one's: "
                f"{against['ratio']:.4f} ({against['low']:.4f} to {against['high']:.4f})."
            )
    return Candidacy(evaluation, judged, against, objections)


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
    told, card = evaluation_json(evaluation), model_card(evaluation, manifest, notes).encode()
    files = {name: (candidate / name).read_bytes() for name in DATA_FILES}
    write_set(folder, files, manifest)
    try:
        with temporary_folder(folder) as staging:
            for name, content in ((EVALUATION, told), (CARD, card)):
                (staging / name).write_bytes(content)
                (staging / name).replace(folder / name)
    except OSError as error:
        raise InputError(f"{folder}: can't be written ({error.strerror or error})") from None


def _unseen_by_both(
    prices: Prices, trainings: Sequence[dict[str, Any] | None], horizon: int, wanted: np.datetime64 | None
) -> np.datetime64:
    """The first cutoff after the training data of both models, or the one that was asked for."""
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
    """Nothing is promoted by what it was trained on."""
    if common := sorted(set(training["ids"]) & set(prices.ids)):
        raise InputError(
            f"--from {first}: the candidate was trained on {common[0]} up to {training['last_date']}; "
            "judge it from later on, or on other series"
        )


def _training(folder: Path) -> dict[str, Any] | None:
    manifest: Mapping[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    training: dict[str, Any] | None = manifest["training_data"]
    return training


def _losses(cases: Cases, forecast: Forecast, levels: tuple[float, ...]) -> Array:
    """The mean pinball loss of each case over its steps: (cases,)."""
    assert forecast.quantiles is not None
    return np.asarray(metrics.pinball_loss(cases.returns, forecast.quantiles, levels).mean(axis=(1, 2)))
