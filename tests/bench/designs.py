"""Compare the API with what a Lambda is usually built of, as processes that start and as warm ones."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from tests.bench.contender import Contender
from tests.bench.measure import Times, lead
from tests.bench.start import first_answer, started

EFEMERA = "lambda_fn.api.handler"
PEERS = {  # module → in words, and how far ahead of it to be: at the start, warm
    "tests.bench.peers.fastapi_torch": ("FastAPI + Mangum + torch eager", "≥ 6 × ahead", "≥ 1.8 × ahead"),
    "tests.bench.peers.fastapi_onnx": ("FastAPI + Mangum + onnxruntime", "≥ 1.3 × ahead", "≥ 1.3 × ahead"),
}
ROUNDS, REQUESTS = 15, 100  # of each, in a round


def rows() -> Iterator[tuple[str, ...]]:
    """Time whole processes that start, then warm ones, in turn."""
    starts, warm = started({module: first_answer(module) for module in (EFEMERA, *PEERS)}, rounds=9), _warm()
    for module, (words, at_start, when_warm) in PEERS.items():
        yield lead("process start to first answer", starts, EFEMERA, module, words, at_start)
        yield lead("warm POST /predict, p50", warm, EFEMERA, module, words, when_warm)


def _warm() -> Times:
    """Time warm processes in turn: the median seconds of each round."""
    with ExitStack() as stack:
        contenders = {module: stack.enter_context(Contender(module)) for module in (EFEMERA, *PEERS)}
        ours, *theirs = (_prices(contender.answer) for contender in contenders.values())
        for prices in theirs:
            np.testing.assert_allclose(prices, ours, rtol=1e-6)
        rounds = [
            {module: statistics.median(contender.seconds(REQUESTS)) for module, contender in contenders.items()}
            for _ in range(1 + ROUNDS)
        ][1:]
    return {module: [seconds[module] for seconds in rounds] for module in contenders}


def _prices(answer: dict[str, Any]) -> list[float]:
    """Return every price of an answer, which must be a forecast with all its fields."""
    assert answer["statusCode"] == 200, answer
    body = json.loads(answer["body"])
    prices = [body["predicted_price"], body["last_price"], body["naive_price"]]
    for step in body["steps"]:
        prices += [step["median"], *(bound for level in ("95", "80", "50") for bound in step["intervals"][level])]
    assert {*body} >= {"warnings", "verdict", "model_version", "model_digest"}
    return prices
