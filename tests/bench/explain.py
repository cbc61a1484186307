"""Time `POST /explain` against `POST /predict` in one process, and its parts; run its self-check on many windows."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from export.data.prices import Prices
from export.local.server import lambda_context
from lambda_fn.api.explain_response import to_response
from lambda_fn.model import attribution, gates
from tests.bench.events import event_of, prices_of
from tests.bench.measure import in_turn, row, unseen

WINDOWS, DAYS_PER_RUN = 1000, (6, 10, 15, 20, 30, 60)
WARM = 20  # requests timed as one: alone among explanations a short one would find its caches cold


def rows(models: Path, prices: Prices) -> Iterator[tuple[str, ...]]:
    """Time the route and its parts, and find the largest difference between equations and graph."""
    with unseen():
        found = [*_route(models), _difference(models, prices)]
    yield from found


def _route(models: Path) -> Iterator[tuple[str, ...]]:
    from lambda_fn.api.handler import forecaster, handler

    asked, context = event_of("explain"), lambda_context("bench")
    plain = {**asked, "headers": {**asked["headers"], "accept-encoding": "identity"}}
    full = {**plain, "body": json.dumps({**json.loads(asked["body"]), "detail": "full"})}
    closes, weights = np.array(prices_of(asked)), attribution.served_weights(models, forecaster)
    x, _ = gates.encode(weights, closes[None])
    paths, attributed = attribution.revealed(closes), attribution.attribute_forecast(forecaster, weights, closes)
    dates: list[str | None] = [None] * len(closes)

    def in_runs(size: int) -> None:
        for start in range(0, len(paths), size):
            forecaster.quantiles(paths[start : start + size])

    predict = event_of("predict")
    times = in_turn(
        {
            "predict": lambda: [handler(predict, context) for _ in range(WARM)],
            "explain": lambda: handler(plain, context),
            "packed": lambda: handler(asked, context),
            "trace": lambda: gates.trace(weights, x),
            "full": lambda: handler(full, context),
            "response": lambda: to_response(forecaster, weights, attributed, dates, [], False),
            **{f"runs of {size}": (lambda size=size: in_runs(size)) for size in DAYS_PER_RUN},
        },
        rounds=300,
        warmup=20,
    )
    times["predict"] = [seconds / WARM for seconds in times["predict"]]
    yield row("warm POST /explain, p50", times, "explain", "predict", "POST /predict", "≤ 40 ×")
    yield row("likewise, for a client that takes gzip", times, "packed", "predict", "likewise")
    yield row("likewise, with every gate of every unit (detail full)", times, "full", "predict", "likewise")
    best = min((f"runs of {size}" for size in DAYS_PER_RUN), key=lambda name: statistics.median(times[name]))
    chosen = f"runs of {attribution.DAYS_PER_RUN}"
    words = f"{best}, the best of {', '.join(map(str, DAYS_PER_RUN))}"
    yield row(f"of it the graph on every day revealed, {chosen}", times, chosen, best, words)
    yield row("the gate trace of the window", times, "trace", "explain", "the whole")
    yield row("days, means and notes", times, "response", "explain", "likewise")


def _difference(models: Path, prices: Prices) -> tuple[str, ...]:
    """Over windows spread evenly over all closes, real ones where the bench has real prices."""
    from lambda_fn.api.handler import forecaster

    weights = attribution.served_weights(models, forecaster)
    window, tolerance = weights.window, attribution.tolerance_for(weights)
    series = zip(prices.starts[:-1], prices.starts[1:], strict=True)
    ends = np.concatenate([np.arange(start + window, end + 1) for start, end in series])
    chosen = ends[np.linspace(0, len(ends) - 1, WINDOWS).astype(int)]
    closes = prices.y[chosen[:, None] + np.arange(-window, 0)]  # (windows, window)
    worst = max(attribution.attribute_forecast(forecaster, weights, one).difference for one in closes)
    relative = float(np.max(np.abs(gates.forecast(weights, closes) / forecaster.quantiles(closes) - 1)))
    return (
        f"largest difference, equations to graph, {WINDOWS:,} windows", f"{worst:.1e}",
        f"parity's tolerance (in price: {relative:.1e})", f"{tolerance:.1e}", f"{worst / tolerance:.3f} ×", "≤ 1 ×",
    )  # fmt: skip
