"""Times things in turn, A B A B …, so that a machine whose speed drifts does not decide who wins."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def in_turn(actions: dict[str, Callable[[], object]], rounds: int, warmup: int = 3) -> dict[str, list[float]]:
    """Seconds of each action, `rounds` of them, one after the other in each round."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(-warmup, rounds):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            if number >= 0:
                times[name].append(time.perf_counter() - started)
    return times


def ratio(times: dict[str, list[float]], name: str, floor: str) -> float:
    """Median over the rounds of name / floor, each pair measured side by side."""
    return statistics.median(one / other for one, other in zip(times[name], times[floor], strict=True))


def readable(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    for limit, unit, factor in ((1e-3, "µs", 1e6), (1, "ms", 1e3)):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.2f} s"
