"""Draw the pictures of an evaluation."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from export.evaluation.report.fan_charts import Fan, draw_fans
from export.evaluation.report.numbers import LABELS, compared, methods_of, quotient, steps_of
from export.evaluation.report.style import DOTTED, FEW, new_figure, png_of, put_legend
from export.evaluation.scores import TERCILES
from export.forecast_plot import ACCENT, COVERAGE, FAN, INK, MUTED

LOOKS = {  # colour and marker
    "efemera": (ACCENT, "o"),
    "naive": (INK, "x"),
    "drift": ("#8a94a0", "v"),
    "constant": ("#8a6fb0", "s"),
    "ewma": ("#2b6c8f", "D"),
    "garch": ("#5f7f1f", "^"),
    "auto_ets": ("#c0912f", "<"),
    "auto_theta": ("#3f9c8f", ">"),
}
SIGMAS = 1.96  # a normal 95% interval, to either side


@dataclasses.dataclass(frozen=True, eq=False)
class Detail:
    """Data of the pictures beyond `evaluation.json`."""

    fans: tuple[Fan, ...]  # best, median and worst; fewer where there are fewer series
    history: list[dict[str, float]] | None  # epoch, train_loss, validation_loss; None when it isn't known


def draw_pictures(evaluation: dict[str, Any], detail: Detail) -> dict[str, bytes]:
    """Draw every picture that the evaluation has numbers for: name → PNG; equal input gives equal bytes."""
    pictures = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a name in another script
        for name, draw in DRAWERS.items():
            if png := png_of(draw, evaluation, detail):
                pictures[name] = png
    return pictures


def _look(method: str) -> dict[str, Any]:
    colour, marker = LOOKS[method]
    ours = method == "efemera"
    return {
        "label": LABELS[method],
        "color": colour,
        "marker": marker,
        "markersize": 6 if ours else 4.5,
        "linewidth": 2 if ours else 1.1,
        "zorder": 4 if ours else 3,
    }


def _reliability(evaluation: dict[str, Any], _: Detail) -> Figure:
    figure, (upper, lower) = new_figure(6.6, 2, sharex=True, height_ratios=[3, 2])
    level = np.linspace(0, 1, 201)
    band = 100 * SIGMAS * np.sqrt(level * (1 - level) / _independent_cases(evaluation))
    upper.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle=DOTTED)
    lower.axhline(0, color=MUTED, linewidth=1, linestyle=DOTTED)
    lower.fill_between(100 * level, -band, band, color=FAN[0], linewidth=0, label="chance alone, 95%")
    for name in LABELS:
        if name in evaluation["reliability"]:
            promised, observed = 100 * np.array(evaluation["reliability"][name]).T  # (levels,) each
            upper.plot(promised, observed, **_look(name))
            lower.plot(promised, observed - promised, **_look(name))
    upper.set_title("Reliability, one session ahead")
    upper.set_ylabel("closes below it, %")
    lower.set_ylabel("observed − promised,\npercentage points")
    lower.set_xlabel("quantile, %")
    put_legend(figure, lower)
    return figure


def _independent_cases(evaluation: dict[str, Any]) -> float:
    """Estimate as how many independent cases the judged ones count, by the interval of each coverage.

    Series move together: a binomial band over all cases would be too narrow.
    """
    numbers = [float(evaluation["cases"])]
    for cover in methods_of(evaluation, "all", 1)["efemera"]["coverage"].values():
        variance, width = cover["share"] * (1 - cover["share"]), cover["high"] - cover["low"]
        if variance > 0 and width > 0:
            numbers.append(variance * (2 * SIGMAS / width) ** 2)
    return min(numbers)


def _months(evaluation: dict[str, Any], _: Detail) -> Figure:
    months = evaluation["months"]
    days = np.array([month["month"] for month in months], "datetime64[M]")
    first = days.astype("datetime64[D]")
    length = (days + 1).astype("datetime64[D]") - first  # (months,)
    volatility = [100 * month["volatility"] for month in months]
    figure, (axes,) = new_figure(4)
    behind = axes.twinx()
    behind.bar(first, volatility, length, align="edge", color="#e4e7eb", edgecolor="#e4e7eb", linewidth=0.4)
    behind.set_ylabel("daily volatility, %", color=MUTED)
    behind.set_ylim(0, 2.5 * max(volatility) or 1)
    behind.spines[:].set_visible(False)
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    levels = sorted(months[0]["coverage"], key=float, reverse=True)
    for colour, level in zip(COVERAGE, levels, strict=False):
        shares = [100 * month["coverage"][level] for month in months]
        marker = "o" if len(months) <= FEW else None
        axes.axhline(float(level), color=colour, linewidth=1, linestyle=DOTTED)
        axes.plot(first + length // 2, shares, color=colour, linewidth=1.6, marker=marker, label=f"{level}% interval")
    axes.set_title("Closes within the interval, month by month")
    axes.set_ylabel("closes within, %")
    axes.set_ylim(top=101)
    put_legend(figure, axes)
    return figure


def _pinball(evaluation: dict[str, Any], _: Detail) -> Figure:
    scores = [methods_of(evaluation, "all", step) for step in (1, 0)]
    tests = [compared(evaluation, "pinball", step) for step in (1, 0)]
    names = [name for name, measures in scores[0].items() if "pinball" in measures]
    figure, (upper, lower) = new_figure(4.8, 2, sharex=True, height_ratios=[len(names), len(tests[0]) + 0.5])
    for shift, filled, score, test in zip((-0.15, 0.15), (True, False), scores, tests, strict=True):
        for row, name in enumerate(names):
            ratio = quotient(score[name]["pinball"], score["ewma"]["pinball"])
            _dot(upper, ratio, row + shift, LOOKS[name][0], filled)
        for row, line in enumerate(test.values()):
            lower.plot([line["low"], line["high"]], [row + shift] * 2, color=ACCENT, linewidth=1.6)
            _dot(lower, line["ratio"], row + shift, ACCENT, filled)
    upper.set_yticks(range(len(names)), [LABELS[name] for name in names])
    lower.set_yticks(range(len(tests[0])), [LABELS[name] for name in tests[0]])
    upper.set_title("Pinball loss of each method, EWMA = 1")
    lower.set_title("Efemera ÷ each baseline, 95% intervals")
    lower.set_xlabel("ratio of losses: smaller is better")
    for axes in (upper, lower):
        axes.axvline(1, color=MUTED, linewidth=1, linestyle=DOTTED)
        axes.margins(y=0.15)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0, labelcolor=INK)
    handles = [
        Line2D([], [], color=MUTED, marker="o", linewidth=0, markerfacecolor=face, label=label)
        for label, face in (("one session ahead", MUTED), ("all steps", "white"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _dot(axes: Axes, x: float, y: float, colour: str, filled: bool) -> None:
    axes.plot(x, y, "o", color=colour, markerfacecolor=colour if filled else "white", markersize=6, zorder=4)


def _terciles(evaluation: dict[str, Any], _: Detail) -> Figure | None:
    parts = [methods_of(evaluation, f"volatility {name}", 1) for name in TERCILES]
    if not all(parts):
        return None
    names = [name for name, measures in parts[0].items() if "coverage" in measures]
    levels = [level for level in ("80", "95") if level in parts[0]["efemera"]["coverage"]]
    figure, grid = new_figure(1.2 + 2.2 * len(levels), len(levels), sharex=True)
    for axes, level in zip(grid, levels, strict=True):
        axes.axhline(float(level), color=MUTED, linewidth=1, linestyle=DOTTED)
        for place, name in enumerate(names):
            x = np.arange(len(parts)) + 0.16 * (place - (len(names) - 1) / 2)
            covers = [part[name]["coverage"][level] for part in parts]
            look = _look(name)
            axes.vlines(
                x,
                [100 * cover["low"] for cover in covers],
                [100 * cover["high"] for cover in covers],
                color=look["color"],
                linewidth=look["linewidth"],
            )
            axes.plot(x, [100 * cover["share"] for cover in covers], **{**look, "linewidth": 0})
        axes.set_title(f"{level}% interval, by volatility at the cutoff")
        axes.set_ylabel("closes within, %")
    grid[-1].set_xticks(range(len(parts)), ["calmest third", "middle third", "most restless third"])
    grid[-1].set_xlim(-0.5, len(parts) - 0.5)
    grid[-1].tick_params(axis="x", length=0, labelcolor=INK)
    put_legend(figure, grid[-1], 4)
    return figure


def _horizon(evaluation: dict[str, Any], _: Detail) -> Figure:
    figure, (upper, lower) = new_figure(6, 2, sharex=True)
    _by_step(upper, evaluation, "rel_mae", "absolute error", "naive")
    _by_step(lower, evaluation, "pinball", "pinball", "ewma")
    upper.set_title("Error of the median ÷ the naive forecast’s")
    lower.set_title("Pinball loss ÷ EWMA’s")
    lower.set_xlabel("sessions ahead")
    lower.set_xticks(steps_of(evaluation))
    put_legend(figure, upper)
    return figure


def _by_step(axes: Axes, evaluation: dict[str, Any], key: str, measure: str, reference: str) -> None:
    """Draw one line a method of its `key` ÷ the reference's, with the intervals of Efemera's comparison."""
    steps = steps_of(evaluation)
    scores = [methods_of(evaluation, "all", step) for step in steps]
    axes.axhline(1, color=MUTED, linewidth=1, linestyle=DOTTED)
    for name in scores[0]:
        if name != reference and key in scores[0][name]:
            axes.plot(steps, [quotient(score[name][key], score[reference][key]) for score in scores], **_look(name))
    for step in steps:
        if line := compared(evaluation, measure, step).get(reference):
            axes.plot([step] * 2, [line["low"], line["high"]], color=ACCENT, linewidth=1.4, zorder=2)
    axes.set_ylabel("smaller is better")


def _fans(evaluation: dict[str, Any], detail: Detail) -> Figure | None:
    return draw_fans(detail.fans, evaluation["settings"]["quantiles"]) if detail.fans else None


def _training(_: dict[str, Any], detail: Detail) -> Figure | None:
    """Draw training and validation loss by epoch, and which epoch's weights were kept."""
    history = detail.history
    if not history:
        return None
    figure, (axes,) = new_figure(3.6)
    epochs = [line["epoch"] for line in history]
    marker = "o" if len(epochs) <= FEW else None
    for key, colour in (("train_loss", MUTED), ("validation_loss", ACCENT)):
        label = key.replace("_loss", "").replace("train", "training")
        losses = [line[key] for line in history]
        axes.plot(epochs, losses, color=colour, linewidth=1.6, marker=marker, markersize=3.5, label=label)
    best = best_epoch(history)
    label = f"lowest, epoch {best['epoch']:g}"
    axes.plot(best["epoch"], best["validation_loss"], "o", color=ACCENT, markersize=9, fillstyle="none", label=label)
    axes.set_title("Loss while training")
    axes.set_xlabel("epoch")
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.set_ylabel("pinball loss, scaled")
    axes.locator_params(axis="x", integer=True)
    put_legend(figure, axes)
    return figure


def best_epoch(history: Sequence[dict[str, float]]) -> dict[str, float]:
    """Find the epoch whose validation loss is lowest."""
    return min(history, key=lambda line: line["validation_loss"])


DRAWERS = {
    "reliability": _reliability,
    "coverage": _months,
    "pinball": _pinball,
    "volatility": _terciles,
    "horizon": _horizon,
    "fans": _fans,
    "training": _training,
}
