"""What the cost sheet rests on: a warm request, a process that starts, a batch run, and calls to S3 counted by moto."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import io
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from unittest import mock

import boto3
from moto import mock_aws

from export.local.server import lambda_context
from lambda_fn.batch import finish, forecast, plan, records
from lambda_fn.tables import store
from lambda_fn.telemetry import logger
from tests.bench.batch_runs import DAY, last_days, made, run
from tests.bench.events import event_of, several
from tests.bench.prices import MILLION
from tests.bench.start import ROOT

EARLIER = 5  # runs that a run scores: those of a trading week
MEASURED, FEW = 100_000, 4000  # series of the run that is timed, and of the one whose requests are counted
WRITES, READS = ("PutObject", "ListObjectsV2"), ("GetObject", "HeadObject")  # as S3 prices them
KEYS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
START_API = "from lambda_fn.api.handler import handler"
START_BATCH = (
    "from lambda_fn.batch import forecast, served_model; from lambda_fn.tables import store; "
    "served_model.forecaster(); store.client()"
)


@dataclasses.dataclass(frozen=True)
class Requests:
    """What requests of so many series each are like; seconds of one processor, bytes."""

    series: int
    seconds: float
    start: float
    sent: int
    answered: int
    line: int  # of log


@dataclasses.dataclass(frozen=True)
class Calls:
    """How often S3 is called in a run."""

    fixed: float
    shard: float  # for each


@dataclasses.dataclass(frozen=True)
class Batch:
    """What a run over a million series is like; seconds of one processor without S3's, bytes."""

    shards: int
    plan: float
    work: float  # of all workers
    finish: float
    start: float
    input: float
    closes: float  # of the shards
    tables: float  # that come out
    scored: float  # tables of earlier runs that are read
    writes: Calls
    reads: Calls


def requests(series: int, window: int = 60) -> Requests:
    """Of warm requests of so many series, with their JSON both ways, as Lambda's runtime handles it."""
    event = event_of("predict") if series == 1 else several(series, window)[0]
    text, context, times = json.dumps(event), lambda_context("cost"), []
    logger.setLevel("CRITICAL")  # what a start says is for operators
    with contextlib.redirect_stdout(io.StringIO()) as log:
        from lambda_fn.api.handler import handler

        for _ in range(2000 // series + 10):
            begun = time.perf_counter()
            answer = handler(json.loads(text), context)
            json.dumps(answer)
            times.append(time.perf_counter() - begun)
    assert answer["statusCode"] == 200, answer
    body = answer["body"].encode()
    answered = len(base64.b64decode(body) if answer.get("isBase64Encoded") else body)
    return Requests(
        series,
        statistics.median(times),
        _start(START_API),
        len(event["body"]),
        answered + len(json.dumps(answer["headers"])),
        len(log.getvalue().splitlines()[-1].encode()),
    )


def batch_of_a_million(scratch: Path) -> Batch:
    """Of a run over 100,000 series that scores a week's runs, and of one over one series, scaled to a million."""
    prices, one, out = made(scratch / "prices.parquet", MEASURED), made(scratch / "one.parquet", 1), scratch / "cost"
    for day in last_days(prices, EARLIER + 1)[:-1]:
        run(prices, out, day=day)
    runs = [(run(prices, out), run(one, scratch / "cost of one")) for _ in range(3)]

    def seconds(part: str) -> float:
        """Of all processors, beside what any run takes: none is idle in these parts for long."""
        beside = statistics.median(large.parts[part] - small.parts[part] for large, small in runs)
        return beside * (os.cpu_count() or 1) * scale

    scale = MILLION / MEASURED
    tables = sum(path.stat().st_size for path in (out / "runs" / DAY).rglob("*.parquet")) * scale
    work = statistics.median(sum(large.worked.values()) for large, _ in runs) * scale
    (few, many), closes = _calls(made(scratch / "few.parquet", FEW))
    return Batch(
        shards=2 ** math.ceil(math.log2(MILLION / records.SERIES_PER_SHARD)),
        plan=seconds("plan"),
        work=work,
        finish=seconds("finish"),
        start=_start(START_BATCH),
        input=prices.stat().st_size * scale,
        closes=closes / FEW * MILLION,
        tables=tables,
        scored=tables * EARLIER,
        writes=_split(few, many, WRITES),
        reads=_split(few, many, READS),
    )


def _start(code: str) -> float:
    """Seconds of a process that runs this."""
    times, environment = [], {**os.environ, **KEYS}
    for _ in range(7):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL, env=environment, check=True)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


Counted = tuple[int, Counter[str]]  # shards, calls by kind


def _split(few: Counted, many: Counted, kinds: tuple[str, ...]) -> Calls:
    less, more = (sum(calls[kind] for kind in kinds) for _, calls in (few, many))
    shard = (more - less) / (many[0] - few[0])
    return Calls(less - shard * few[0], shard)


def _calls(prices: Path) -> tuple[tuple[Counted, Counted], float]:
    """S3's calls of a run with few shards and of one with many, and the bytes of a run's shards."""
    with mock.patch.dict(os.environ, {**KEYS, "POWERTOOLS_LOG_LEVEL": "CRITICAL"}):
        few, many = (_counted(prices, largest) for largest in (FEW, 256))
    return (few[0], many[0]), few[1]


def _counted(prices: Path, largest: int) -> tuple[Counted, float]:
    """The calls of a run whose shards hold so many series, after the runs of a week before it."""
    counts: Counter[str] = Counter()
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.upload_file(str(prices), "bucket", "prices/prices.parquet")
        store.client.cache_clear()
        store.client().meta.events.register("before-call.s3", lambda model, **_: counts.update([model.name]))
        for day in last_days(prices, EARLIER + 1):
            counts.clear()
            settings = records.Settings(
                prices="s3://bucket/prices/",
                out="s3://bucket",
                as_of=datetime.date.fromisoformat(day),
                series_per_shard=largest,
            )
            place = plan.plan(settings).place
            assert place is not None
            items = json.loads(s3.get_object(Bucket="bucket", Key=f"work/{place.shard_list_key}")["Body"].read())
            for item in items:
                forecast.forecast_shard(place, item["shard"])
            finish.finish(place)
        listed = s3.list_objects_v2(Bucket="bucket", Prefix=f"work/{place.as_of}/{place.run}/")["Contents"]
        store.client.cache_clear()
    return (len(items), counts), float(sum(entry["Size"] for entry in listed))
