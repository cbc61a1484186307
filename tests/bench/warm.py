"""Time `POST /predict` in a warm process, of one series and of a thousand, against bare runs of the same session."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import numpy as np

from export.local.server import lambda_context
from tests.bench.events import event_of, prices_of, several
from tests.bench.measure import in_turn, middle, readable, row, unseen

SERIES, WINDOWS_PER_RUN = 1000, (8, 16, 24, 32, 48, 64)


def rows() -> Iterator[tuple[str, ...]]:
    """Time one series, p50 and p99, then a thousand."""
    with unseen():
        found = [*_single(), *_many()]
    yield from found


def _single() -> Iterator[tuple[str, ...]]:
    from lambda_fn.api.handler import forecaster, handler

    event, context, session = event_of("predict"), lambda_context("bench"), forecaster._session
    prices = np.array([prices_of(event)])
    times = in_turn(
        {"handler": lambda: handler(event, context), "bare": lambda: session.run(["quantiles"], {"prices": prices})},
        rounds=5000,
        warmup=50,
    )
    yield row("warm POST /predict, p50", times, "handler", "bare", "bare session.run", "≤ 1.8 ×")
    tail = statistics.quantiles(times["handler"], n=100)[98]
    share = f"{tail / statistics.median(times['handler']):.2f} ×"
    yield "likewise, p99", readable(tail), "its own p50", middle(times["handler"]), share, "≤ 3 ×"


def _many() -> Iterator[tuple[str, ...]]:
    from lambda_fn.api.handler import forecaster, handler

    packed, series = several(SERIES, forecaster.manifest.window)
    plain = {**packed, "headers": {**packed["headers"], "accept-encoding": "identity"}}
    context, session, walks = lambda_context("bench"), forecaster._session, np.array(series)

    def bare(windows: int) -> None:
        for start in range(0, SERIES, windows):
            session.run(["quantiles"], {"prices": walks[start : start + windows]})

    runs = {f"bare {windows}": (lambda windows=windows: bare(windows)) for windows in WINDOWS_PER_RUN}
    handlers = {"plain": lambda: handler(plain, context), "packed": lambda: handler(packed, context)}
    times = in_turn({**handlers, **runs}, rounds=15, warmup=2)
    best = min(runs, key=lambda name: statistics.median(times[name]))
    words = f"bare runs of {best.split()[1]}, the best of {', '.join(map(str, WINDOWS_PER_RUN))}"
    yield row(f"{SERIES:,} series in one request", times, "plain", best, words, "≤ 1.25 ×")
    yield row("likewise, for a client that takes gzip", times, "packed", best, "likewise")
