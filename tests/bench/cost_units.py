"""How much of what AWS bills requests and batch runs take, and the dollars of it."""

from __future__ import annotations

import dataclasses
import math

from lambda_fn.batch.records import SERIES_PER_SHARD
from lambda_fn.batch.shard_writer import FEWEST_SERIES, SPREAD
from tests.bench.cost_measures import Batch, Requests
from tests.bench.prices import MILLION, PRICES, REGIONS

ONE_CPU = 1769  # MB with which Lambda gives one vCPU: docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
API_MB, PLAN_MB, BATCH_MB, FINISH_MB, PLAN_STORAGE_MB = 512, 3008, 1769, 1769, 10240  # template.yaml
TOGETHER = 100  # workers at once: MaxConcurrency in template.yaml
METERED = 512 * 1024  # bytes of an HTTP API's request
GB = 1024**3

# What can't be measured here.
COLD = 1 / 1000  # of the API's requests restore an environment from its snapshot, however many there are
IDLE = 600  # seconds after which Lambda ends an environment that nobody asks: so few requests find none
RATE = 100  # requests a second
TRACED = 1 / 20  # of the requests beyond the first of a second, which X-Ray always takes
ACCESS_LINE = 260  # bytes of API Gateway's line of a request
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


def by_api(one: Requests, forecasts: float = MILLION, rate: float = RATE) -> Units:
    """Units for so many forecasts in requests of so many series, which come at random, so many a second."""
    count = math.ceil(forecasts / one.series)
    line = one.line + LINE + LAMBDAS_LINES + ACCESS_LINE + LINE
    return {
        "HTTP API": count * math.ceil(max(one.sent, one.answered) / METERED),
        "Lambda requests": count,
        "Lambda time": count * billed(one.seconds, API_MB) * API_MB / 1024,
        "SnapStart restores": count * max(COLD, math.exp(-rate * IDLE)) * API_MB / 1024,
        "logs": count * line / GB,
        "X-Ray": traces(count, rate),
        "transfer out": count * one.answered / GB,
    }


def traces(count: float, rate: float) -> float:
    """How many of these requests X-Ray records: the first of each second that has one, and a share of the others."""
    first = count / rate * -math.expm1(-rate)
    return first + (count - first) * TRACED


def by_batch(one: Batch) -> Units:
    """Units for one run over the series of `one`, its tables kept for a month and its shards for a week."""
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


def scaled(one: Batch, series: float) -> Batch:
    """A run over so many series instead of a million: its parts in proportion, in as many shards as `plan` makes."""
    share = series / MILLION
    wanted = max(series / SERIES_PER_SHARD, min(SPREAD, series / FEWEST_SERIES), 1)
    grown = ("plan", "work", "finish", "input", "closes", "tables", "scored")
    return dataclasses.replace(
        one, shards=2 ** math.ceil(math.log2(wanted)), **{name: getattr(one, name) * share for name in grown}
    )
