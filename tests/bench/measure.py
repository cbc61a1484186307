"""Times things in turn, A B A B …, so that a machine whose speed drifts does not decide who wins; makes rows of it."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator

from rich.console import Console
from rich.table import Table

Times = dict[str, list[float]]


def in_turn(actions: dict[str, Callable[[], object]], rounds: int, warmup: int = 3) -> Times:
    """Seconds of each action, `rounds` of them, one after the other in each round."""
    times: Times = {name: [] for name in actions}
    for number in range(-warmup, rounds):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            if number >= 0:
                times[name].append(time.perf_counter() - started)
    return times


def ratio(times: Times, name: str, floor: str) -> float:
    """Median over the rounds of name / floor, each pair measured side by side."""
    return statistics.median(one / other for one, other in zip(times[name], times[floor], strict=True))


def row(what: str, times: Times, name: str, floor: str, words: str, reach: str = "") -> tuple[str, ...]:
    """A row of the table: the median of `name`, of its `floor`, which `words` describe, and how many times it."""
    return what, middle(times[name]), words, middle(times[floor]), f"{ratio(times, name, floor):.2f} ×", reach


def lead(what: str, times: Times, name: str, peer: str, words: str, reach: str = "") -> tuple[str, ...]:
    """As `row`, against a peer that should be slower: how many times as long it takes."""
    ahead = f"{ratio(times, peer, name):.2f} × ahead"
    return what, middle(times[name]), words, middle(times[peer]), ahead, reach


def middle(seconds: list[float]) -> str:
    """The median, for a person to read."""
    return readable(statistics.median(seconds))


def readable(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    for limit, unit, factor in ((1e-3, "µs", 1e6), (1, "ms", 1e3)):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.2f} s"


def settle(longest: float = 5) -> None:
    """Wait until other processes leave the processors alone, for so many seconds at most. Linux only."""
    deadline = time.monotonic() + longest
    while time.monotonic() < deadline:
        try:
            before = _ticks()
            time.sleep(0.5)
            idle, all_ = (after - then for after, then in zip(_ticks(), before, strict=True))
        except OSError:
            return
        if idle > 0.95 * all_:
            return


def _ticks() -> tuple[int, int]:
    """Of all processors since the system's start: idle ticks, and all."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def figures(title: str, found: Iterable[tuple[str, ...]]) -> None:
    """Print rows as a table, once all of them are measured."""
    table = Table(title=title, title_justify="left")
    for name in ("what", "Efemera", "against", "its figure", "ratio", "to reach"):
        table.add_column(name, justify="left" if name in ("what", "against") else "right")
    for one in found:
        table.add_row(*one)
    Console(width=110).print(table)


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """Let what is printed cost what it costs on Lambda, one write a line, and be seen by nobody."""
    with open(os.devnull, "w", buffering=1) as nowhere, contextlib.redirect_stdout(nowhere):
        yield
