"""Serving: a warm request against a bare `session.run`, and process start to first answer against bare onnxruntime."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from export.probes import random_walks
from export.server import lambda_context
from tests.bench.measure import in_turn, ratio, readable

BARE_START = """
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession({model!r}, options, providers=["CPUExecutionProvider"])
session.run(None, {{"prices": numpy.linspace(40, 41, 60).reshape(1, 60)}})
"""
SERIES, BLOCKS = 1000, (8, 16, 32, 64)
OUR_START = """
import json
event = json.load(open({event!r}))
from lambda_fn.api import handler
assert handler(event, None)["statusCode"] == 200
"""


def rows(models: Path, scratch: Path) -> Iterator[tuple[str, ...]]:
    """The warm handler, then whole processes, each in turn with its floor."""
    os.environ["EFEMERA_MODELS"] = str(models)
    from lambda_fn.api import forecaster, handler

    prices = np.round(random_walks(1, forecaster.manifest.window, seed=0), 4)
    event = predict_event(prices[0].tolist())
    context = lambda_context("bench")
    session = forecaster._session
    times = in_turn(
        {"handler": lambda: handler(event, context), "bare": lambda: session.run(["quantiles"], {"prices": prices})},
        rounds=3000,
        warmup=50,
    )
    yield _row("warm POST /predict, p50", times, "handler", "bare", "bare session.run")

    walks = np.round(random_walks(SERIES, forecaster.manifest.window, seed=1), 4)
    series = [{"id": f"S{number}", "prices": walk.tolist()} for number, walk in enumerate(walks)]
    many = {**event, "body": json.dumps({"series": series})}

    def bare(block: int) -> None:
        for start in range(0, SERIES, block):
            session.run(["quantiles"], {"prices": walks[start : start + block]})

    blocks = {f"bare {block}": (lambda block=block: bare(block)) for block in BLOCKS}
    times = in_turn({"handler": lambda: handler(many, context), **blocks}, rounds=11, warmup=2)
    best = min(blocks, key=lambda name: statistics.median(times[name]))
    words = f"bare run in blocks of {best.split()[1]}, the best of {', '.join(map(str, BLOCKS))}"
    yield (*_row(f"{SERIES:,} series in one request", times, "handler", best, words)[:5], "≤ 1.25 ×")

    (scratch / "event.json").write_text(json.dumps(event))
    codes = {
        "handler": OUR_START.format(event=str(scratch / "event.json")),
        "bare": BARE_START.format(model=str(models / "model.onnx")),
    }
    starts = in_turn(
        {
            name: lambda code=code: subprocess.run([sys.executable, "-c", code], check=True)
            for name, code in codes.items()
        },
        rounds=11,
        warmup=2,
    )
    yield _row("process start to first answer", starts, "handler", "bare", "bare onnxruntime")


def predict_event(prices: list[float]) -> dict[str, object]:
    """The least an API Gateway event of `POST /predict` holds."""
    return {
        "version": "2.0",
        "rawPath": "/predict",
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/predict"}, "requestId": "bench", "stage": "$default"},
        "body": json.dumps({"prices": prices}),
        "isBase64Encoded": False,
    }


def _row(what: str, times: dict[str, list[float]], name: str, floor: str, words: str) -> tuple[str, ...]:
    medians = [readable(statistics.median(times[key])) for key in (name, floor)]
    return what, medians[0], words, medians[1], f"{ratio(times, name, floor):.2f} ×", ""
