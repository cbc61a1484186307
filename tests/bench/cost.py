"""Dollars for a million forecasts, by the API and by a batch run, of what is measured here and AWS's prices.

`python -m tests.bench.cost` measures and prints this alone. Lambda gives processor time in proportion to memory, one
whole vCPU at 1,769 MB: a second of one processor here is billed as 1769 / MB seconds. Whether a vCPU there is as fast
as a processor here can't be told from here.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Table

from tests.bench.cost_measures import Batch, Requests, batch_of_a_million, requests
from tests.bench.measure import readable
from tests.bench.prices import MILLION, PRICES, REGIONS

ONE_CPU = 1769  # MB with which Lambda gives one vCPU: docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
API_MB, PLAN_MB, BATCH_MB, FINISH_MB, PLAN_STORAGE_MB = 512, 3008, 1769, 1769, 10240  # template.yaml
TOGETHER = 100  # workers at once: MaxConcurrency in template.yaml
METERED = 512 * 1024  # bytes of an HTTP API's request
GB = 1024**3

# What can't be measured here.
COLD = 1 / 1000  # of the API's requests start an environment, whose start is billed since August 2025
RATE = 100  # requests a second: X-Ray takes the first of each second, and one in twenty of the others
LAMBDAS_LINES = 300 + 3 * 26  # bytes of the START, END and REPORT lines of an invocation
LINE = 26  # bytes that CloudWatch counts beside those of a line
NETWORK = 75e6  # bytes a second between Lambda and S3
WAIT = 0.03  # seconds for an answer of S3's
PART = 8 << 20  # bytes of a large object that boto3 reads in one call
FIXED_STATES = 7  # Begin, Plan, Planned?, Set limit, Forecast shards, Finish, Done
SHARD_STATES = 2  # a child's one state, and its start, in case it counts

Units = dict[str, float]  # name of a price → how many


def billed(seconds: float, memory: int, processors: float = 1) -> float:
    """Seconds on Lambda, in whole milliseconds, of work of so many on one processor that can use so many at once."""
    return math.ceil(seconds / min(memory / ONE_CPU, processors) * 1000) / 1000


def by_api(one: Requests) -> Units:
    """Units for a million forecasts in requests of so many series."""
    count = MILLION / one.series
    traffic = count / RATE  # seconds
    seconds = count * billed(one.seconds, API_MB) + count * COLD * billed(one.start, API_MB)
    return {
        "HTTP API": count * math.ceil(max(one.sent, one.answered) / METERED),
        "Lambda requests": count,
        "Lambda time": seconds * API_MB / 1024,
        "logs": count * (one.line + LINE + LAMBDAS_LINES) / GB,
        "X-Ray": traffic + (count - traffic) / 20,
        "transfer out": count * one.answered / GB,
    }


def by_batch(one: Batch) -> Units:
    """Units for one run over a million series, its tables kept for a month and its shards for a week."""
    calls = one.shards * (one.reads.shard + one.writes.shard)
    plan = billed(one.plan, PLAN_MB, 2) + (one.input + one.closes) / NETWORK
    work = billed(one.work, BATCH_MB) + (one.closes + one.tables + one.scored) / NETWORK + calls * WAIT
    finish = billed(one.finish, FINISH_MB) + one.tables / NETWORK
    start = billed(one.start, BATCH_MB)
    gigabytes = (
        (plan + start) * PLAN_MB + (work + min(one.shards, TOGETHER) * start) * BATCH_MB + (finish + start) * FINISH_MB
    ) / 1024
    return {
        "Lambda requests": one.shards + 2,
        "Lambda time": gigabytes,
        "Lambda storage": plan * (PLAN_STORAGE_MB - 512) / 1024,
        "Step Functions": FIXED_STATES + one.shards * SHARD_STATES,
        "S3 writes": one.writes.fixed + one.shards * one.writes.shard,
        "S3 reads": one.reads.fixed + one.shards * one.reads.shard + math.ceil(one.input / PART),
        "S3 storage": (one.tables + one.closes * 7 / 30) / GB,
        "logs": (one.shards + 2) * (500 + LINE + LAMBDAS_LINES) / GB,
        "X-Ray": one.shards + 3,
    }


def dollars(units: Units, region: str) -> Units:
    """What these units cost, by name."""
    place, found = REGIONS.index(region), {}
    for name, count in units.items():
        found[name] = count / PRICES[name].count * PRICES[name].dollars[place]
    return found


def report(scratch: Path) -> Iterator[RenderableType]:
    """Measure; a table of the sums, then one of what they rest on."""
    single, thousand, batch = requests(1), requests(1000), batch_of_a_million(scratch)
    ways = {"API, 1 a request": by_api(single), "API, 1,000 a request": by_api(thousand), "batch": by_batch(batch)}
    yield _sums(ways)
    yield (
        f"A request of one series takes {readable(single.seconds)} of a processor, one of a thousand "
        f"{readable(thousand.seconds)}; a million in a batch {batch.plan:.0f} s to plan, {batch.work:.0f} s to "
        f"forecast and to score a week's runs, {batch.finish:.0f} s to prove; each of {batch.shards} shards calls S3 "
        f"{batch.reads.shard:.0f} times to read and {batch.writes.shard:.0f} to write."
    )
    yield _prices()


def _prices() -> Table:
    found = Table(title="prices of aws.amazon.com, as read on these dates", title_justify="left")
    for name in ("", "so many", *REGIONS, "page", "read"):
        found.add_column(name, justify="right" if name in REGIONS else "left", overflow="fold")
    for name, price in PRICES.items():
        each = (f"${one:g}" for one in price.dollars)
        unit = f"{price.count:,} {price.unit}".removeprefix("1 ")
        found.add_row(name, unit, *each, price.page, ", ".join(dict.fromkeys(price.read)))
    return found


def _sums(ways: dict[str, Units]) -> Table:
    """A row for each price and for each region's sum, a column for each way."""
    found = Table(title=f"dollars for a million forecasts, {REGIONS[0]}", title_justify="left")
    found.add_column("")
    costs = {name: dollars(units, REGIONS[0]) for name, units in ways.items()}
    for name in ways:
        found.add_column(name, justify="right")
    for price in PRICES:
        found.add_row(price, *(f"{cost[price]:.4f}" if price in cost else "–" for cost in costs.values()))
    found.add_section()
    for region in REGIONS:
        sums = (sum(dollars(units, region).values()) for units in ways.values())
        found.add_row(f"all, {region}", *(f"{one:.3f}" for one in sums))
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for part in report(Path(folder)):
            Console(width=160).print(part)
