"""Look up and format the numbers of an evaluation, as the report and the model card show them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

LABELS = {  # of each method, in the order of the tables
    "efemera": "Efemera",
    "naive": "Naive",
    "drift": "Drift",
    "constant": "Constant quantiles",
    "ewma": "EWMA",
    "garch": "GARCH-t",
    "auto_ets": "AutoETS",
    "auto_theta": "AutoTheta",
}
UNKNOWN = "–"


def methods_of(evaluation: dict[str, Any], part: str, step: int) -> dict[str, dict[str, Any]]:
    """Look up each method's scores on one part at one step (0: all); empty where that wasn't judged."""
    scores = (line["methods"] for line in evaluation["scores"] if (line["part"], line["step"]) == (part, step))
    methods: dict[str, dict[str, Any]] = next(scores, {})
    return {name: methods[name] for name in LABELS if name in methods}


def compared(evaluation: dict[str, Any], measure: str, step: int) -> dict[str, dict[str, Any]]:
    """Look up Efemera against each baseline by one measure: name → ratio, low, high, statistic, p_value."""
    lines = (line for line in evaluation["comparisons"] if (line["measure"], line["step"]) == (measure, step))
    tests = {line["against"]: line for line in lines}
    return {name: tests[name] for name in LABELS if name in tests}


def steps_of(evaluation: dict[str, Any]) -> list[int]:
    """List the steps ahead that were judged one by one, rising."""
    return sorted({line["step"] for line in evaluation["scores"] if line["part"] == "all" and line["step"]})


def known(value: float | None) -> TypeGuard[float]:
    """Return whether it is a finite number."""
    return value is not None and math.isfinite(value)


def quotient(value: float | None, reference: float | None) -> float:
    """Divide; nan where one isn't known or the reference is 0."""
    return value / reference if known(value) and known(reference) and reference else math.nan


def number(value: float | None, decimals: int) -> str:
    """Format with so many decimals."""
    return f"{value:.{decimals}f}".replace("-", "−") if known(value) else UNKNOWN


def digits(value: float | None) -> str:
    """Format with four significant digits."""
    return f"{value:#.4g}" if known(value) else UNKNOWN


def percent(share: float | None) -> str:
    """Format a share in percent."""
    return f"{100 * share:.1f}%" if known(share) else UNKNOWN


def share_with_interval(cover: Mapping[str, float | None]) -> str:
    """Format a share in percent with its 95% interval, where that is known."""
    low, high = cover["low"], cover["high"]
    if not known(low) or not known(high):
        return percent(cover["share"])
    return f"{percent(cover['share'])} [{100 * low:.1f}, {100 * high:.1f}]"


def interval(low: float | None, high: float | None, decimals: int) -> str:
    """Format both ends: 0.9 to 1.1."""
    return f"{number(low, decimals)} to {number(high, decimals)}" if known(low) and known(high) else UNKNOWN


def p_value(value: float | None) -> str:
    """Format with three decimals, and never as 0."""
    return "<0.001" if known(value) and value < 0.001 else number(value, 3)


def listed(words: Iterable[str]) -> str:
    """Join words: one, two and three."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
