"""RNN, GRU and LSTM trained on the same prices and scored by the evaluation's own metrics on closes after them."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from export.evaluation import metrics
from export.evaluation.cases import Array, Cases, Forecast, cases_of, folds_of
from export.evaluation.methods import simple
from export.evaluation.methods.efemera import forecast
from export.evaluation.report.style import DOTTED, new_figure
from export.evaluation.scores import case_losses, compare, intervals_of
from export.forecast_plot import INK, MUTED
from export.lab.experiment import FAILS, HOLDS, OPEN, Numbers, Setup
from export.lab.language import Language
from export.lab.style import LABELS, LOOKS, plain_ticks
from export.training.config import Config
from export.training.train import Progress, train

REFIT_EVERY = 63  # sessions, as `efemera evaluate` refits its baselines
LEVELS = ("80", "95")
STATES = ("better", "worse", "tiny", "equal")  # of the LSTM against another, in the order of the sentence
LIMIT = 0.05 / 2  # of a p-value: the LSTM is compared twice
COUNTS = 1e-3  # of the loss: a smaller difference is of no use, however significant
TEST_SHARE = 0.25


def settings_for(fast: bool) -> tuple[dict[str, Any], int]:
    """Choose the settings of every training, and the number of seeds."""
    # As the demo's: few windows want larger and more steps than a whole market.
    shared = {"learning_rate": 1e-3, "batch_size": 128, "test_share": TEST_SHARE}
    if fast:
        return {**shared, "epochs": 1, "hidden_size": 8, "layers": 1, "batch_size": 512}, 1
    return {**shared, "epochs": 4}, 3


def measure(setup: Setup) -> Numbers:
    """Train every cell and seed on the same split; score them beside naive and EWMA on the same cases."""
    settings, seeds = settings_for(setup.fast)
    cases: Cases | None = None
    losses: dict[str, list[Array]] = {}  # (cases,) mean pinball loss of all steps, a seed
    scores: dict[str, list[dict[str, Any]]] = {}
    levels = Config().quantiles
    last = ""
    for turn, (cell, seed) in enumerate((cell, seed) for cell in LABELS for seed in range(seeds)):
        config = Config(cell=cell, seed=setup.seed + seed, **settings)

        def on_batch(now: Progress, cell: str = cell, turn: int = turn, epochs: int = config.epochs) -> None:
            total = epochs * now.batches
            done = (now.epoch - 1) * now.batches + now.batch
            setup.on_progress(f"prices, {LABELS[cell]}", turn * total + done, len(LABELS) * seeds * total)

        with tempfile.TemporaryDirectory(prefix="efemera-") as scratch:
            trained = train(setup.prices, config, Path(scratch), on_progress=on_batch)
        if cases is None:
            cases, last = (
                cases_of(setup.prices, config.window, config.horizon, trained.split.test_from),
                str(trained.split.test_from),
            )
        quantiles = forecast(trained.network, setup.prices, cases)
        ours = Forecast(quantiles[:, :, config.median_index], quantiles)
        losses.setdefault(cell, []).append(case_losses(cases, ours, levels))
        scores.setdefault(cell, []).append(_scored(cases, ours, levels) | {"best_epoch": trained.best_epoch})
    assert cases is not None
    ewma = simple.ewma(setup.prices, cases, folds_of(setup.prices, cases, REFIT_EVERY), levels)
    losses["ewma"], scores["ewma"] = [case_losses(cases, ewma, levels)], [_scored(cases, ewma, levels)]
    reference = float(losses["ewma"][0].mean())
    for name, runs in losses.items():
        for score, run in zip(scores[name], runs, strict=True):
            score["pinball_to_ewma"] = float(run.mean()) / reference
    mean = {name: np.mean(runs, axis=0) for name, runs in losses.items()}
    return {
        "series": len(setup.prices.ids), "from": last, "cases": len(cases), "seeds": seeds,
        "dates": len(np.unique(cases.cutoffs)), "settings": settings, "scores": scores,
        "lstm_against": {
            name: compare(mean["lstm"], mean[name], cases.cutoffs, cases.horizon)
            | {"seeds_better": _better(losses["lstm"], losses[name])}
            for name in ("rnn", "gru", "ewma")
        },
    }  # fmt: skip


def _better(ours: list[Array], theirs: list[Array]) -> float:
    """Compute the share of seeds in which ours have the smaller loss."""
    pairs = itertools.zip_longest(ours, theirs, fillvalue=theirs[0])  # EWMA has one
    return float(np.mean([one.mean() < other.mean() for one, other in pairs]))


def _scored(cases: Cases, one: Forecast, levels: tuple[float, ...]) -> dict[str, Any]:
    """Score coverage one step ahead and the error of the median of all steps against naive's."""
    assert one.quantiles is not None
    step, pairs = one.quantiles[:, 0], intervals_of(levels)
    return {
        "rel_mae": metrics.relative_mae(cases.returns, one.median, np.zeros_like(one.median)),
        "coverage": {
            level: metrics.coverage(cases.returns[:, 0], step[:, pairs[level][0]], step[:, pairs[level][1]]).share
            for level in LEVELS
        },
    }


def ranked(numbers: Numbers) -> dict[str, str]:
    """Rank the LSTM against each other cell, in a word of `_stands`."""
    return {name: _stands(numbers["lstm_against"][name]) for name in ("rnn", "gru")}


def _stands(test: Mapping[str, float]) -> str:
    """Rank by one comparison: better, worse, equal (no difference), tiny (one of no use) or unknown (too few dates).

    The bootstrap's interval, the Diebold-Mariano test and every pair of seeds must agree.
    """
    if not np.isfinite([test["low"], test["high"], test["p_value"]]).all():
        return "unknown"
    better = test["high"] < 1 and test["seeds_better"] == 1
    worse = test["low"] > 1 and test["seeds_better"] == 0
    if test["p_value"] >= LIMIT or not (better or worse):
        return "equal"
    if abs(test["ratio"] - 1) < COUNTS:
        return "tiny"
    return "better" if better else "worse"


def judge(numbers: Numbers) -> str:
    """Judge: the claim stands only where the LSTM is significantly better than both others."""
    states = set(ranked(numbers).values())
    if "unknown" in states:
        return OPEN
    return HOLDS if states == {"better"} else FAILS


def sentence(numbers: Numbers) -> list[str]:
    """Name the texts of the sentence."""
    states = set(ranked(numbers).values())
    end = "unknown" if "unknown" in states else "all_equal" if states == {"equal"} else "ranked"
    return ["start", end, f"ewma_{_stands(numbers['lstm_against']['ewma'])}"]


def fields(numbers: Numbers, language: Language) -> dict[str, Any]:
    """Compute the fields of the texts."""
    cells = {state: [LABELS[name] for name, rank in ranked(numbers).items() if rank == state] for state in STATES}
    and_the = language.text("prices.and_the")
    settings = numbers["settings"]
    return {
        **numbers,
        "ratios": {name: language.text("prices.ratio", **test) for name, test in numbers["lstm_against"].items()},
        "ranks": language.listed(
            [language.text(f"prices.{state}", cells=and_the.join(cells[state])) for state in STATES if cells[state]]
        ),
        "size": f"{settings.get('layers', Config().layers)} × {settings.get('hidden_size', Config().hidden_size)}",
    }


def rows(numbers: Numbers, language: Language) -> list[list[str]]:
    """Build a row a cell, and one of EWMA."""
    return [_row(name, runs, language) for name, runs in numbers["scores"].items()]


def _row(name: str, runs: list[dict[str, Any]], language: Language) -> list[str]:
    def spread(values: list[float]) -> str:
        shown = [language.number(value, ".4f") for value in (float(np.mean(values)), min(values), max(values))]
        return shown[0] if len(values) == 1 else f"{shown[0]} ({shown[1]}–{shown[2]})"

    return [
        LABELS.get(name, "EWMA"),
        spread([run["pinball_to_ewma"] for run in runs]),
        spread([run["rel_mae"] for run in runs]),
        *(language.number(float(np.mean([run["coverage"][level] for run in runs])), ".1%") for level in LEVELS),
    ]


def draw(numbers: Numbers, language: Language) -> Figure:
    """Draw each seed's loss against EWMA's, a row a cell."""
    figure, (axes,) = new_figure(2.8)
    for row, (cell, (colour, _)) in enumerate(LOOKS.items()):
        ratios = [run["pinball_to_ewma"] for run in numbers["scores"][cell]]
        axes.plot(ratios, [row] * len(ratios), "o", color=colour, markersize=4, markerfacecolor="white")
        axes.plot(np.mean(ratios), row, "o", color=colour, markersize=8)
    axes.axvline(1, color=MUTED, linewidth=1, linestyle=DOTTED)
    axes.set_yticks(range(len(LOOKS)), [LABELS[cell] for cell in LOOKS])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.margins(x=0.1, y=0.25)
    axes.invert_yaxis()
    plain_ticks(axes, language, "x")
    axes.set_xlabel(language.text("prices.axis"))
    axes.set_title(language.text("prices.plot"))
    return figure
