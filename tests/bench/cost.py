"""Dollars for a million forecasts and for a month, by the API and by batch runs, of what is measured and AWS's prices.

`python -m tests.bench.cost` measures and prints this alone. Lambda gives processor time in proportion to memory, one
whole vCPU at 1,769 MB: a second of one processor here is billed as 1769 / MB seconds. Whether a vCPU there is as fast
as a processor here can't be told from here. Without free tiers, volume discounts and taxes.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Table

from lambda_fn.batch.records import SERIES_PER_SHARD
from tests.bench.cost_measures import EARLIER, Batch, Requests, batch_of_a_million, requests
from tests.bench.measure import readable
from tests.bench.prices import MILLION, PRICES, REGIONS
from tests.bench.stack import Stack, stack

ONE_CPU = 1769  # MB with which Lambda gives one vCPU: docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
API_MB, PLAN_MB, BATCH_MB, FINISH_MB, PLAN_STORAGE_MB = 512, 3008, 1769, 1769, 10240  # template.yaml
TOGETHER = 100  # workers at once: MaxConcurrency in template.yaml
FORECASTS = (1_000, 1_000_000, 100_000_000)  # a month
EVENINGS = 22  # a month with a run, over a twenty-second of the forecasts each
HOURS = 730  # of a month; CloudWatch bills a metric by the hours that have a point of it
GB = 1024**3

# What can't be measured here.
COLD = 1 / 1000  # of the API's requests restore an environment from its snapshot, however many there are
IDLE = 600  # seconds after which Lambda ends an environment that nobody asks: so few requests find none
RATE = 100  # requests a second, where no month is given
TRACED = 1 / 20  # of the requests beyond the first of a second, which X-Ray always takes
METERED = 512 * 1024  # bytes of an HTTP API's request
LINE = 26  # bytes that CloudWatch counts beside those of a line
LAMBDAS_LINES = 300 + 3 * LINE  # bytes of the START, END and REPORT lines of an invocation
ACCESS_LINE = 260 + LINE  # bytes of API Gateway's line of a request
COMPRESSED = 0.15  # of the bytes of a log are stored, in the examples of cloudwatch/pricing; they stay for 30 days
NETWORK = 75e6  # bytes a second between Lambda and S3
WAIT = 0.03  # seconds for an answer of S3's
PART = 8 << 20  # bytes of a large object that boto3 reads in one call
STATES = (7, 2)  # of a run (Begin, Plan, Planned?, Set limit, Forecast shards, Finish, Done), and of each shard
WRITES, READS = (12, 4), (10, 29)  # S3's calls of a run that scores a week's, and of each shard: counted with moto
API_METRICS = 5 * 2  # latency, series, time of inference, a cold start, a refusal; by service, and by route as well
RUN_METRICS = 3 + 2 * 5 + 5 * 5  # counts of the run; five figures so far, of 60 sessions, and of each step

Units = dict[str, float]  # name of a price → how many


def billed(seconds: float, memory: int, processors: float = 1) -> float:
    """Seconds on Lambda, in whole milliseconds, of work of so many on one processor that can use so many at once."""
    return math.ceil(seconds / min(memory / ONE_CPU, processors) * 1000) / 1000


def by_api(one: Requests, forecasts: float = MILLION, rate: float = RATE) -> Units:
    """Units for so many forecasts in requests of so many series, which come at random, so many a second."""
    count = math.ceil(forecasts / one.series)
    first = count / rate * -math.expm1(-rate)  # requests that are the first of their second
    return {
        "HTTP API": count * math.ceil(max(one.sent, one.answered) / METERED),
        "Lambda requests": count,
        "Lambda time": count * billed(one.seconds, API_MB) * API_MB / 1024,
        "SnapStart restores": count * max(COLD, math.exp(-rate * IDLE)) * API_MB / 1024,
        "logs": count * (one.line + LINE + LAMBDAS_LINES + ACCESS_LINE) / GB,
        "X-Ray": first + (count - first) * TRACED,
        "transfer out": count * one.answered / GB,
    }


def by_batch(one: Batch) -> Units:
    """Units for one run, its tables kept for a month and its shards for a week."""
    shards = 2 ** max(0, math.ceil(math.log2(one.series / SERIES_PER_SHARD)))
    waiting = shards * (WRITES[1] + READS[1]) * WAIT
    plan = billed(one.plan, PLAN_MB, 2) + (one.input + one.closes) / NETWORK + one.start
    work = billed(one.work, BATCH_MB) + (one.closes + (1 + EARLIER) * one.tables) / NETWORK + waiting
    finish = billed(one.finish, FINISH_MB) + one.tables / NETWORK + one.start
    work += min(shards, TOGETHER) * one.start
    return {
        "Lambda requests": shards + 2,
        "Lambda time": (plan * PLAN_MB + work * BATCH_MB + finish * FINISH_MB) / 1024,
        "Lambda storage": plan * (PLAN_STORAGE_MB - 512) / 1024,
        "Step Functions": STATES[0] + shards * STATES[1],
        "S3 writes": WRITES[0] + shards * WRITES[1],
        "S3 reads": READS[0] + shards * READS[1] + math.ceil(one.input / PART),
        "S3 storage": (one.tables + one.closes * 7 / 30) / GB,
        "logs": (shards + 2) * (500 + LINE + LAMBDAS_LINES) / GB,
        "X-Ray": shards + 3,
    }


def of_the_stack(kept: Stack) -> Units:
    """Units of a month in which nobody asks for anything."""
    cache = kept.kept * sum(kept.snapshots) / 1024 * HOURS * 3600
    return {"KMS keys": kept.keys, "alarms": kept.alarms, "dashboards": kept.dashboards, "SnapStart cache": cache}


def month_by_api(one: Requests, forecasts: float) -> Units:
    """Units of a month of so many forecasts in such requests."""
    count = forecasts / one.series
    units = by_api(one, forecasts, count / HOURS / 3600)
    return _stored(units) | {"custom metrics": API_METRICS * min(count, HOURS) / HOURS}


def month_by_batch(million: Batch, forecasts: float) -> Units:
    """Units of a month of so many forecasts, of as many series each evening; the prices lie in the bucket once."""
    share = forecasts / EVENINGS / million.series
    run = Batch(*(value * share for value in million))._replace(start=million.start)
    units = {name: count * EVENINGS for name, count in by_batch(run).items()}
    units["S3 storage"] += run.input / GB
    return _stored(units) | {"custom metrics": RUN_METRICS * EVENINGS / HOURS}


def _stored(units: Units) -> Units:
    return units | {"log storage": units["logs"] * COMPRESSED}


def dollars(units: Units, region: str = REGIONS[0]) -> Units:
    """Price these units, by name."""
    place = REGIONS.index(region)
    return {name: count / PRICES[name].count * PRICES[name].dollars[place] for name, count in units.items()}


def report(scratch: Path) -> Iterator[RenderableType]:
    """Measure; then tables of a million forecasts, of what the stack costs by itself, and of months."""
    single, thousand, batch = requests(1), requests(1000), batch_of_a_million(scratch)
    yield (
        f"A request of one series takes {readable(single.seconds)} of a processor, one of a thousand "
        f"{readable(thousand.seconds)}; a million in a batch {batch.plan:.0f} s to plan, {batch.work:.0f} s to "
        f"forecast and to score a week's runs, {batch.finish:.0f} s to prove."
    )
    ways = {"API, 1 a request": by_api(single), "API, 1,000 a request": by_api(thousand), "batch": by_batch(batch)}
    yield _table("dollars for a million forecasts", ways, 3)
    yield from months(stack(), single, thousand, batch)


def months(kept: Stack, single: Requests, thousand: Requests, batch: Batch) -> Iterator[Table]:
    """A table of a month without a request, then one for each number of forecasts a month, that included."""
    idle = of_the_stack(kept)
    yield _table(f"dollars a month if nobody asks, {kept.kept} versions kept", {"stack": idle}, 2)
    for forecasts in FORECASTS:
        ways = {
            "API, 1 a request": idle | month_by_api(single, forecasts),
            "API, 1,000 a request": idle | month_by_api(thousand, forecasts),
            "batch": idle | month_by_batch(batch, forecasts),
        }
        yield _table(f"dollars a month with that and {forecasts:,} forecasts", ways, 2)


def _table(title: str, ways: dict[str, Units], decimals: int) -> Table:
    """A row for each price, in us-east-1, and for each region's sum; a column for each way."""
    table = Table("", *ways, title=title, title_justify="left")
    costs = [dollars(units) for units in ways.values()]
    for price in (name for name in PRICES if any(name in cost for cost in costs)):
        table.add_row(price, *(f"{cost[price]:,.4f}" if price in cost else "–" for cost in costs))
    table.add_section()
    for region in REGIONS:
        sums = (sum(dollars(units, region).values()) for units in ways.values())
        table.add_row(f"all, {region}", *(f"{one:,.{decimals}f}" for one in sums))
    return table


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for part in report(Path(folder)):
            Console(width=160).print(part)
