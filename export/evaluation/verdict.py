"""What an evaluation comes to in one word, and why: `edge`, `calibrated` or `rejected`."""

from __future__ import annotations

from typing import Any

# How far coverage one step ahead may be from its promise, beyond what chance explains: points of a hundred.
MARGINS = {"50": 4.0, "80": 3.0, "95": 2.0}
SIGNIFICANT = 0.05


def verdict_of(scores: list[Any], comparisons: list[Any]) -> tuple[str, list[str]]:
    """The verdict and its reasons, a sentence each, of one step ahead.

    `rejected`: significantly worse than naive in price or than EWMA in pinball loss, or an interval that misses its
    promise by more than its margin and more than chance. `edge`: significantly better than naive in price by both the
    bootstrap and the test, and no worse than drift. `calibrated`: neither.
    """
    [ours] = [line["methods"]["efemera"] for line in scores if (line["part"], line["step"]) == ("all", 1)]
    tests = {(line["against"], line["measure"]): line for line in comparisons if line["step"] == 1}
    price, spread = tests["naive", "absolute error"], tests["ewma", "pinball"]
    faults = _miscoverage(ours["coverage"])
    if price["low"] > 1:
        faults.append(f"The median is worse than the last close: its error is {_told(price)}.")
    if spread["low"] > 1:
        faults.append(f"The distribution is worse than EWMA volatility alone: its pinball loss is {_told(spread)}.")
    if faults:
        return "rejected", faults
    held = ", ".join(f"{100 * cover['share']:.1f}% of the {name}%" for name, cover in ours["coverage"].items())
    reasons = [
        f"The intervals hold what they promise: the next close was in {held} interval.",
        f"The pinball loss of the distribution is {_told(spread)} as large as that of EWMA volatility.",
    ]
    drift = tests["drift", "absolute error"]["ratio"]
    if price["high"] < 1 and price["p_value"] < SIGNIFICANT and price["statistic"] < 0 and drift <= 1:
        return "edge", [*reasons, f"The median beats the last close: its error is {_told(price)}."]
    return "calibrated", [*reasons, f"The median is no better than the last close: its error is {_told(price)}."]


def _miscoverage(coverage: dict[str, Any]) -> list[str]:
    found = []
    for name, cover in coverage.items():
        promised, margin = float(name) / 100, MARGINS.get(name, 3.0) / 100
        beyond_chance = promised < cover["low"] or promised > cover["high"]
        if abs(cover["share"] - promised) > margin and beyond_chance:
            found.append(
                f"The {name}% interval held {100 * cover['share']:.1f}% of the closes "
                f"({100 * cover['low']:.1f} to {100 * cover['high']:.1f})."
            )
    return found


def _told(line: dict[str, float]) -> str:
    return f"{line['ratio']:.4f} times ({line['low']:.4f} to {line['high']:.4f})"
