"""Caption and alternative text of each picture of the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from export.evaluation.report.numbers import LABELS, compared, listed, methods_of, number, percent, quotient, steps_of
from export.evaluation.report.plots import Detail, best_epoch
from export.evaluation.scores import TERCILES


def _reliability(evaluation: dict[str, Any], _: Detail) -> tuple[str, str]:
    points = [(100 * promised, 100 * observed) for promised, observed in evaluation["reliability"]["efemera"]]
    level, share = max(points, key=lambda point: abs(point[1] - point[0]))
    observed = ", ".join(f"{share:.1f}% below the {level:g}% quantile" for level, share in points)
    return (
        "Of all closes 10% should fall below the 10% quantile, and so on: Efemera is at most "
        f"{abs(share - level):.1f} percentage points off, at the {level:g}% quantile.",
        f"Reliability diagram, one session ahead. Closes below Efemera’s quantiles: {observed}.",
    )


def _coverage(evaluation: dict[str, Any], _: Detail) -> tuple[str, str]:
    months = evaluation["months"]
    covers = methods_of(evaluation, "all", 1)["efemera"]["coverage"]
    levels = sorted(months[0]["coverage"], key=float)
    held = listed(f"{percent(covers[level]['share'])} of the {level}% intervals" for level in levels)
    return (
        "Each line should stay near its dashed promise, in calm months and in restless ones (grey: volatility); over "
        f"all months {held} held the close.",
        f"Lines of coverage by month, {months[0]['month']} to {months[-1]['month']}, above bars of volatility. "
        f"Over all months {held} held the close.",
    )


def _pinball(evaluation: dict[str, Any], _: Detail) -> tuple[str, str]:
    tests = compared(evaluation, "pinball", 1)
    ratios = listed(f"{number(line['ratio'], 3)} × that of {LABELS[name]}" for name, line in tests.items())
    return (
        "Left of the line is better, and an interval across the line is no proven difference: one session ahead "
        f"Efemera’s loss is {ratios}.",
        f"Dot plot of pinball losses against EWMA’s, and of Efemera’s alone: {ratios}.",
    )


def _volatility(evaluation: dict[str, Any], _: Detail) -> tuple[str, str]:
    parts = [methods_of(evaluation, f"volatility {name}", 1)["efemera"]["coverage"]["80"] for name in TERCILES]
    held = listed(percent(cover["share"]) for cover in parts)
    return (
        "Dots on the dashed line keep their promise however restless the market was: Efemera’s 80% intervals held "
        f"{held} of the closes, from the calmest third of cases to the most restless.",
        f"Dots of coverage by tercile of volatility at the cutoff, each method beside the others. Efemera’s 80% "
        f"intervals held {held}.",
    )


def _horizon(evaluation: dict[str, Any], _: Detail) -> tuple[str, str]:
    steps = steps_of(evaluation)
    scores = [methods_of(evaluation, "all", step) for step in steps]
    errors = [score["efemera"]["rel_mae"] for score in scores]
    losses = [quotient(score["efemera"]["pinball"], score["ewma"]["pinball"]) for score in scores]
    ahead = f"{steps[0]} to {steps[-1]} sessions ahead" if len(steps) > 1 else "one session ahead"
    error, loss = (listed(number(ratio, 3) for ratio in ratios) for ratios in (errors, losses))
    return (
        "Below the dashed line is better than “tomorrow equals today” (above) and than EWMA (below): Efemera’s ratios "
        f"are at most {number(max(errors), 3)} and {number(max(losses), 3)}, {ahead}.",
        f"Lines of ratios, {ahead}. Efemera’s error against naive: {error}; its pinball loss against EWMA: {loss}.",
    )


def _fans(_: dict[str, Any], detail: Detail) -> tuple[str, str]:
    series = listed(f"{fan.name} ({fan.rank}, {number(fan.ratio, 3)} × EWMA’s loss)" for fan in detail.fans)
    return (
        "The dark line is what came and should wander within the fans, which open wider when the market is restless.",
        f"Closing prices with forecast fans of {series}.",
    )


def _training(_: dict[str, Any], detail: Detail) -> tuple[str, str]:
    assert detail.history
    best = best_epoch(detail.history)
    return (
        "The weights kept are those of the ring, where the loss on held-out validation data was lowest; training loss "
        "that goes on falling afterwards is only memorising.",
        f"Curves of training and validation loss up to epoch {detail.history[-1]['epoch']:g}; validation is lowest in "
        f"epoch {best['epoch']:g}, at {best['validation_loss']:.4f}.",
    )


# Caption (what to see, one sentence) and alternative text (what is drawn) of each picture.
CAPTIONS: dict[str, Callable[[dict[str, Any], Detail], tuple[str, str]]] = {
    "reliability": _reliability,
    "coverage": _coverage,
    "pinball": _pinball,
    "volatility": _volatility,
    "horizon": _horizon,
    "fans": _fans,
    "training": _training,
}
