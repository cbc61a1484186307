"""Verdict on a model, with reasons: `edge`, `calibrated` or `rejected`."""

from __future__ import annotations

from typing import Any

# How far coverage may be from its promise, beyond what chance explains: points of a hundred.
MARGINS = {"50": 4.0, "80": 3.0, "95": 2.0}
SIGNIFICANT = 0.05
STEPS = {1: "one session ahead", 0: "over all steps"}


def verdict_of(scores: list[Any], comparisons: list[Any]) -> tuple[str, list[str]]:
    """Judge the scores: the verdict and its reasons, a sentence each.

    `rejected`: one session ahead or over all steps significantly worse than naive in price or than EWMA in pinball
    loss, or an interval that misses its promise by more than its margin and more than chance. `edge`: one session ahead
    significantly better than naive in price by both the bootstrap and the test, and no worse than drift. `calibrated`:
    neither.
    """
    coverage = {line["step"]: line["methods"]["efemera"]["coverage"] for line in scores if line["part"] == "all"}
    tests = {(line["against"], line["measure"], line["step"]): line for line in comparisons}
    faults = []
    for step, ahead in STEPS.items():
        price, spread = tests["naive", "absolute error", step], tests["ewma", "pinball", step]
        faults += _miscoverage(coverage[step], ahead)
        if price["low"] > 1:
            faults.append(
                f"The median is worse than the last close {ahead}; its error beside that: {_with_interval(price)}."
            )
        if spread["low"] > 1:
            faults.append(
                f"The distribution is worse than EWMA volatility alone {ahead}; its pinball loss beside that: "
                f"{_with_interval(spread)}."
            )
    if faults:
        return "rejected", faults
    price, spread = tests["naive", "absolute error", 1], tests["ewma", "pinball", 1]
    held = ", ".join(f"the {name}% interval {100 * cover['share']:.1f}%" for name, cover in coverage[1].items())
    reasons = [
        f"The intervals hold what they promise: of the next closes {held}.",
        f"The pinball loss of the distribution, beside that of EWMA volatility: {_with_interval(spread)}.",
    ]
    drift = tests["drift", "absolute error", 1]["ratio"]
    if price["high"] < 1 and price["p_value"] < SIGNIFICANT and price["statistic"] < 0 and drift <= 1:
        return "edge", [*reasons, f"The median beats the last close; its error beside that: {_with_interval(price)}."]
    return "calibrated", [
        *reasons,
        f"The median is not proven better than the last close; its error beside that: {_with_interval(price)}.",
    ]


def _miscoverage(coverage: dict[str, Any], ahead: str) -> list[str]:
    faults = []
    for name, cover in coverage.items():
        promised, margin = float(name) / 100, MARGINS.get(name, 3.0) / 100
        beyond_chance = promised < cover["low"] or promised > cover["high"]
        if abs(cover["share"] - promised) > margin and beyond_chance:
            faults.append(
                f"The {name}% interval held {100 * cover['share']:.1f}% of the closes {ahead} "
                f"({100 * cover['low']:.1f} to {100 * cover['high']:.1f})."
            )
    return faults


def _with_interval(line: dict[str, float]) -> str:
    return f"{line['ratio']:.4f} ({line['low']:.4f} to {line['high']:.4f})"
