"""`make bench-large`: a million series against ten times a hundred thousand, memory, block sizes, scoring."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np

from lambda_fn.batch import forecast
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.tables.sql import quote
from tests.bench.batch_runs import DAY, last_days, made, peaks, run
from tests.bench.measure import Times, figures, in_turn, middle, ratio, readable
from tests.bench.start import ROOT

SMALL = 100_000
LARGE = 10 * SMALL
ROUNDS = 3
BLOCKS = (16, 24, 32, 40, 48, 56, 64, 80, 96, 128, 256)
EARLIER = 5  # runs that are scored: those of a trading week
WINDOW = 60


def rows(models: Path, scratch: Path) -> Iterator[tuple[str, ...]]:
    """All of it, in turn."""
    yield from _block_sizes(models)
    small = made(scratch / "small.parquet", SMALL)
    yield _scoring(small, scratch)
    large = _tenfold(small, scratch / "large.parquet")
    print(f"  {LARGE:,} series: {large.stat().st_size / 1e6:,.0f} MB of Parquet", flush=True)
    times: Times = {"small": [], "large": [], "ten": []}
    for _ in range(ROUNDS):
        before = run(small, scratch / "small").seconds
        times["large"].append(run(large, scratch / "large").seconds)
        times["small"].append((before + run(small, scratch / "small").seconds) / 2)  # both sides of the long one
        times["ten"].append(10 * times["small"][-1])
        took = f"{times['large'][-1]:.1f} s, the small one {times['small'][-1]:.2f} s"
        print(f"  {took}, load {os.getloadavg()[0]:.1f}", flush=True)
    share = f"{ratio(times, 'large', 'ten'):.2f} ×"
    words = f"ten times {SMALL:,} series ({middle(times['small'])})"
    yield (
        f"efemera batch, {LARGE:,} series × 80 rows",
        middle(times["large"]),
        words,
        middle(times["ten"]),
        share,
        "≤ 1.1 ×",
    )
    held, together = peaks(lambda: run(large, scratch / "large"))
    words = f"a worker at most; all processes at once {together:,.0f} MiB"
    command, worker = (f"{held[name]:,.0f} MiB" for name in ("command", "worker"))
    yield "likewise, peak memory of the command", command, words, worker, "", "≤ 1.5 GiB"


def _tenfold(prices: Path, path: Path) -> Path:
    """Ten times the series of a table, each under ten names and at ten prices: sooner there than as many made ones."""
    query = """
        COPY (SELECT unique_id || '-' || turn AS unique_id, ds, y * (1 + turn / 10) AS y
            FROM range(10) AS turns(turn), read_parquet({small})) TO {large} (FORMAT parquet)"""
    duckdb.execute(query.format(small=quote(str(prices), "'"), large=quote(str(path), "'")))
    return path


def _block_sizes(models: Path) -> Iterator[tuple[str, ...]]:
    """Time a shard's forecasts by `forecast.WINDOWS_PER_RUN`."""
    model, own = Forecaster(models), forecast.WINDOWS_PER_RUN
    walks = 40 * np.exp(np.random.default_rng(2).normal(0, 0.02, (2 * max(BLOCKS) * 5, WINDOW)).cumsum(1))

    def forecast_in(block: int) -> None:
        forecast.WINDOWS_PER_RUN = block
        forecast.forecast_windows(model, walks)

    try:
        times = in_turn({str(block): lambda b=block: forecast_in(b) for block in BLOCKS}, rounds=15, warmup=1)
    finally:
        forecast.WINDOWS_PER_RUN = own
    each = {block: readable(statistics.median(times[str(block)]) / len(walks)) for block in BLOCKS}
    words = ", ".join(f"{block}: {seconds}" for block, seconds in each.items() if block != own)
    best = min(times, key=lambda block: statistics.median(times[block]))
    over = f"{ratio(times, str(own), best):.2f} × the best"
    yield f"a window, in blocks of {own}", each[own], words, "", over, ""


def _scoring(prices: Path, scratch: Path) -> tuple[str, ...]:
    """A run that scores the runs of five sessions before it, each by one step more, against one that has none."""
    days = last_days(prices, EARLIER + 1)
    assert days[-1] == DAY
    out, alone = scratch / "scored", scratch / "alone"
    for day in days[:-1]:
        run(prices, out, day=day)
    times: Times = {"scored": [], "alone": []}
    shares = []
    for _ in range(ROUNDS):
        times["alone"].append(run(prices, alone).seconds)
        one = run(prices, out)
        times["scored"].append(one.seconds)
        shares.append(one.parts["scoring"] / one.seconds)
    query = "SELECT count(DISTINCT as_of), sum(series) FROM read_parquet($path)"
    [(scored, steps)] = duckdb.execute(query, {"path": str(out / "scores" / f"{DAY}.parquet")}).fetchall()
    assert scored == EARLIER, scored
    what = f"efemera batch, {SMALL:,} series, {EARLIER} runs scored ({steps:,} forecasts)"
    words = f"no run before; scoring is {statistics.median(shares):.1%} of the time"
    return what, middle(times["scored"]), words, middle(times["alone"]), f"{ratio(times, 'scored', 'alone'):.2f} ×", ""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        figures("large batches", rows(ROOT / "models", Path(folder)))
