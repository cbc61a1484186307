"""Numbers as the report writes them; one that isn't known is a dash."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeGuard

UNKNOWN = "–"


def known(value: float | None) -> TypeGuard[float]:
    """Whether it is a finite number."""
    return value is not None and math.isfinite(value)


def quotient(value: float | None, reference: float | None) -> float:
    """Their ratio; nan where one isn't known or the reference is 0."""
    return value / reference if known(value) and known(reference) and reference else math.nan


def number(value: float | None, decimals: int) -> str:
    """With so many decimals."""
    return f"{value:.{decimals}f}".replace("-", "−") if known(value) else UNKNOWN


def digits(value: float | None) -> str:
    """With four digits that count."""
    return f"{value:#.4g}" if known(value) else UNKNOWN


def percent(share: float | None) -> str:
    """A share in percent."""
    return f"{100 * share:.1f}%" if known(share) else UNKNOWN


def share_with_interval(found: Mapping[str, float | None]) -> str:
    """A share in percent with its 95% interval, where that is known."""
    low, high = found["low"], found["high"]
    if not known(low) or not known(high):
        return percent(found["share"])
    return f"{percent(found['share'])} [{100 * low:.1f}, {100 * high:.1f}]"


def interval(low: float | None, high: float | None, decimals: int) -> str:
    """From one end to the other."""
    return f"{number(low, decimals)} to {number(high, decimals)}" if known(low) and known(high) else UNKNOWN


def p_value(value: float | None) -> str:
    """With three decimals, and never 0."""
    return "<0.001" if known(value) and value < 0.001 else number(value, 3)


def listed(words: Iterable[str]) -> str:
    """One, two and three."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
