"""RNN, GRU and LSTM trained on the same prices, and scored by the evaluation's own measures on closes after them."""

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
from export.evaluation.scores import compare, intervals_of
from export.forecast_plot import INK, MUTED
from export.lab.experiment import FAILS, HOLDS, OPEN, Numbers, Setup, Words
from export.lab.language import Language
from export.lab.style import LABELS, LOOKS, plain_ticks
from export.training.config import Config
from export.training.train import Progress, train

REFIT_EVERY = 63  # sessions, as `efemera evaluate` refits its baselines
LEVELS = ("80", "95")
LIMIT = 0.05 / 2  # of a p-value: the LSTM is compared twice
COUNTS = 1e-3  # of the loss: a smaller difference is of no use, however significant
TEST_SHARE = 0.25


def settings_for(fast: bool) -> tuple[dict[str, Any], int]:
    """The settings of every training, and how many seeds."""
    # As the demo's: few windows want larger and more steps than a whole market.
    shared = {"learning_rate": 1e-3, "batch_size": 128, "test_share": TEST_SHARE}
    if fast:
        return {**shared, "epochs": 1, "hidden_size": 8, "layers": 1, "batch_size": 512}, 1
    return {**shared, "epochs": 4}, 3


def measure(setup: Setup) -> Numbers:
    """Every cell and seed trained on the same split, beside naive and EWMA on the same cases."""
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
            found = train(setup.prices, config, Path(scratch), on_progress=on_batch)
        if cases is None:
            cases, last = (
                cases_of(setup.prices, config.window, config.horizon, found.split.test_from),
                str(found.split.test_from),
            )
        quantiles = forecast(found.network, setup.prices, cases)
        ours = Forecast(quantiles[:, :, config.median_index], quantiles)
        losses.setdefault(cell, []).append(_loss(cases, ours, levels))
        scores.setdefault(cell, []).append(_scored(cases, ours, levels) | {"best_epoch": found.best_epoch})
    assert cases is not None
    ewma = simple.ewma(setup.prices, cases, folds_of(setup.prices, cases, REFIT_EVERY), levels)
    losses["ewma"], scores["ewma"] = [_loss(cases, ewma, levels)], [_scored(cases, ewma, levels)]
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
    """The share of seeds in which ours have the smaller loss."""
    pairs = itertools.zip_longest(ours, theirs, fillvalue=theirs[0])  # EWMA has one
    return float(np.mean([one.mean() < other.mean() for one, other in pairs]))


def _loss(cases: Cases, one: Forecast, levels: tuple[float, ...]) -> Array:
    assert one.quantiles is not None
    return np.asarray(metrics.pinball_loss(cases.returns, one.quantiles, levels).mean(axis=(1, 2)))


def _scored(cases: Cases, one: Forecast, levels: tuple[float, ...]) -> dict[str, Any]:
    """Coverage one step ahead and the error of the median of all steps against naive's."""
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
    """How the LSTM stands against each other cell, in a word of `_stands`."""
    return {name: _stands(numbers["lstm_against"][name]) for name in ("rnn", "gru")}


def _stands(test: Mapping[str, float]) -> str:
    """Better, worse, equal (not told apart), tiny (told apart, by nothing that counts) or unknown (too few dates).

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
    """The claim stands only where the LSTM is significantly better than both others."""
    found = set(ranked(numbers).values())
    if "unknown" in found:
        return OPEN
    return HOLDS if found == {"better"} else FAILS


def tell(numbers: Numbers, language: Language) -> Words:
    """The words."""
    day = language.day(numbers["from"])
    tests, stands = numbers["lstm_against"], ranked(numbers)
    ratios = {name: _ratio(tests[name], language) for name in tests}
    by = {state: [LABELS[name] for name in stands if stands[name] == state] for state in set(stands.values())}
    start = language(
        f"On {language.count(numbers['cases'])} forecasts from {day} on, the LSTM's pinball loss is "
        f"{ratios['rnn']} times the RNN's and {ratios['gru']} times the GRU's: ",
        f"Em {language.count(numbers['cases'])} previsões a partir de {day}, a perda pinball da LSTM é "
        f"{ratios['rnn']} vez a da RNN e {ratios['gru']} vez a da GRU: ",
    )
    if "unknown" in by:
        end = language(
            f"{language.count(numbers['dates'])} days are too few to tell chance from skill.",
            f"{language.count(numbers['dates'])} dias são poucos para separar acaso de mérito.",
        )
    elif set(by) == {"equal"}:
        end = language(
            "on these daily prices the three cells do not differ significantly.",
            "nestes preços diários, as três células não diferem de modo significativo.",
        )
    else:
        words = {
            "better": ("significantly better than the {}", "significativamente melhor que a {}"),
            "worse": ("significantly worse than the {}", "significativamente pior que a {}"),
            "tiny": (
                "different from the {} by less than a thousandth, significantly but of no use",
                "diferente da {} em menos de um milésimo, o que é significativo, mas não serve para nada",
            ),
            "equal": ("not to be told apart from the {}", "indistinguível da {}"),
        }
        told = [
            language(*words[state]).format(
                language.listed(by[state]).replace(" e ", " e a ").replace(" and ", " and the ")
            )
            for state in words
            if state in by
        ]
        end = language(f"it is {language.listed(told)}.", f"ela é {language.listed(told)}.")
    against = _stands(tests["ewma"])
    tiny = language(
        f" Against EWMA it is {ratios['ewma']}, a difference of no use.",
        f" Contra a EWMA, é {ratios['ewma']}, uma diferença sem utilidade.",
    )
    rest = {
        "tiny": tiny,
        "better": language(
            f" Against EWMA it is {ratios['ewma']}, better.", f" Contra a EWMA, é {ratios['ewma']}, melhor."
        ),
        "worse": language(
            f" Against EWMA it is {ratios['ewma']}, worse.", f" Contra a EWMA, é {ratios['ewma']}, pior."
        ),
        "equal": language(
            f" Against EWMA it is {ratios['ewma']}, no difference to speak of.",
            f" Contra a EWMA, é {ratios['ewma']}, sem diferença que se possa afirmar.",
        ),
        "unknown": "",
    }
    settings = numbers["settings"]
    size = f"{settings.get('layers', Config().layers)} × {settings.get('hidden_size', Config().hidden_size)}"
    return Words(
        language("The same prices", "Os mesmos preços"),
        language(
            "The LSTM forecasts prices better than the simpler cells.",
            "A LSTM prevê preços melhor que as células mais simples.",
        ),
        start + end + rest[against],
        language(
            f"Efemera's network with each cell in turn ({size}), trained on {numbers['series']} series up to "
            f"{day} (seeds: {numbers['seeds']}, epochs: {settings['epochs']}), then judged on the "
            f"closes after it. Pinball loss and error are of all five steps, intervals of the first; ranges are over "
            f"the seeds. The ratios in the sentence are of losses averaged over the seeds, with 95% intervals from a "
            f"bootstrap over dates. “Better” or “worse” needs every seed, that interval and the Diebold-Mariano test "
            f"(p below 0.025, as there are two comparisons) to agree. Unless you gave your own, all prices but one "
            f"series' are simulated.",
            f"A rede da Efemera com cada célula por vez ({size}), treinada em {numbers['series']} séries até "
            f"{day} (sementes: {numbers['seeds']}, épocas: {settings['epochs']}), e julgada nos "
            f"fechamentos seguintes. Perda pinball e erro são dos cinco passos; os intervalos, do primeiro; "
            f"amplitudes são das sementes. As razões da frase são de perdas médias das sementes, com intervalos de "
            f"95% por bootstrap sobre as datas. “Melhor” ou “pior” exige que todas as sementes, esse intervalo e o "
            f"teste de Diebold-Mariano (p abaixo de 0,025, pois são duas comparações) concordem. Se você não deu os "
            f"seus, todos os preços, menos os de uma série, são simulados.",
        ),
        (
            language("cell", "célula"),
            language("pinball ÷ EWMA", "pinball ÷ EWMA"),
            language("error ÷ naive", "erro ÷ ingênua"),
            *(language(f"{level}% interval holds", f"intervalo de {level}% contém") for level in LEVELS),
        ),
        tuple(_row(name, runs, language) for name, runs in numbers["scores"].items()),
        language(
            "Below 1 is better than EWMA. A small dot is one seed, the large one their mean: where cells lie apart by "
            "less than their seeds do, the difference is luck.",
            "Abaixo de 1 é melhor que a EWMA. Cada ponto pequeno é uma semente; o grande, a média: onde as células "
            "diferem menos que as sementes, a diferença é sorte.",
        ),
        language(
            "Pinball loss against EWMA's, a dot for each seed of each cell",
            "Perda pinball em relação à da EWMA, um ponto por semente de cada célula",
        ),
    )


def _ratio(test: Mapping[str, float], language: Language) -> str:
    bounds = language(" to ", " a ").join(language.fixed(test[end], 4) for end in ("low", "high"))
    return f"{language.fixed(test['ratio'], 4)} ({bounds})"


def _row(name: str, runs: list[dict[str, Any]], language: Language) -> tuple[str, ...]:
    def spread(values: list[float]) -> str:
        shown = [language.fixed(value, 4) for value in (float(np.mean(values)), min(values), max(values))]
        return shown[0] if len(values) == 1 else f"{shown[0]} ({shown[1]}–{shown[2]})"

    return (
        LABELS.get(name, "EWMA"),
        spread([run["pinball_to_ewma"] for run in runs]),
        spread([run["rel_mae"] for run in runs]),
        *(language.percent(float(np.mean([run["coverage"][level] for run in runs]))) for level in LEVELS),
    )


def draw(numbers: Numbers, language: Language) -> Figure:
    """Each seed's loss against EWMA's, a row a cell."""
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
    axes.set_xlabel(language("smaller is better", "menor é melhor"))
    axes.set_title(language("Pinball loss, EWMA = 1", "Perda pinball, EWMA = 1"))
    return figure
