"""Measure what the cost sheet rests on: warm requests, a process that starts, a batch run."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from export.local.server import lambda_context
from lambda_fn.telemetry import logger
from tests.bench.batch_runs import DAY, last_days, made, run
from tests.bench.events import event_of, several
from tests.bench.prices import MILLION
from tests.bench.start import ROOT

EARLIER = 5  # runs that a run scores: those of a trading week
MEASURED = 100_000  # series of the run that is timed
CLOSES = 523  # bytes of a series in a shard, of 60 closes
KEYS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
START = "import boto3; from lambda_fn.batch import forecast, served_model as m; m.forecaster(); boto3.client('s3')"


class Requests(NamedTuple):
    """Warm requests of so many series each; seconds of one processor, bytes."""

    series: int
    seconds: float
    sent: int
    answered: int
    line: int  # of log


class Batch(NamedTuple):
    """A run over so many series; seconds of one processor without S3's, bytes."""

    series: float
    plan: float
    work: float  # of all workers
    finish: float
    start: float  # of each worker
    input: float
    closes: float  # of the shards
    tables: float  # that come out


def requests(series: int, window: int = 60) -> Requests:
    """Time warm requests of so many series, with their JSON both ways, as Lambda's runtime handles it."""
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
    answered = len(base64.b64decode(body) if answer.get("isBase64Encoded") else body) + len(
        json.dumps(answer["headers"])
    )
    line = len(log.getvalue().splitlines()[-1].encode())
    return Requests(series, statistics.median(times), len(event["body"]), answered, line)


def batch_of_a_million(scratch: Path) -> Batch:
    """Time a run over 100,000 series that scores a week's runs, less one over one series, scaled to a million."""
    prices, single, out = made(scratch / "prices.parquet", MEASURED), made(scratch / "one.parquet", 1), scratch / "cost"
    for day in last_days(prices, EARLIER + 1)[:-1]:
        run(prices, out, day=day)
    runs = [(run(prices, out), run(single, scratch / "cost of one")) for _ in range(3)]
    scale = MILLION / MEASURED

    def seconds(part: str) -> float:
        """Of all processors: none is idle in these parts for long."""
        beside = statistics.median(large.parts[part] - small.parts[part] for large, small in runs)
        return beside * (os.cpu_count() or 1) * scale

    return Batch(
        series=MILLION,
        plan=seconds("plan"),
        work=statistics.median(sum(large.worked.values()) for large, _ in runs) * scale,
        finish=seconds("finish"),
        start=statistics.median(_start() for _ in range(7)),
        input=prices.stat().st_size * scale,
        closes=CLOSES * MILLION,
        tables=sum(path.stat().st_size for path in (out / "runs" / DAY).rglob("*.parquet")) * scale,
    )


def _start() -> float:
    """Seconds of a process that gets ready to forecast shards."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", START], cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, **KEYS}, check=True
    )
    return time.perf_counter() - begun
