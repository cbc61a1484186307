"""Whole processes, from their start to a first answer, against bare onnxruntime; and what Powertools' import costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.events import EVENTS
from tests.bench.measure import Times, in_turn, row

ROOT = Path(__file__).parent.parent.parent
BARE = """
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession({model!r}, options, providers=["CPUExecutionProvider"])
session.run(None, {{"prices": numpy.linspace(40, 41, 60).reshape(1, 60)}})
"""
ANSWERING = """
import json
event = json.load(open({event!r}))
from {module} import handler
assert handler(event, None)["statusCode"] == 200
"""
LEAN = "import lambda_fn.powertools\n"
WHOLE = "import aws_lambda_powertools.event_handler, aws_lambda_powertools.logging, aws_lambda_powertools.metrics\n"


def rows(models: Path) -> Iterator[tuple[str, ...]]:
    """The function as a process, then Powertools imported both ways in a bare one."""
    bare = bare_start(models)
    times = started({"handler": first_answer("lambda_fn.api.handler"), "bare": bare}, rounds=21)
    yield row("process start to first answer", times, "handler", "bare", "bare onnxruntime", "≤ 1.6 ×")
    times = started({"lean": LEAN + bare, "whole": WHOLE + bare, "bare": bare}, rounds=15)
    yield row("bare start, Powertools imported lean", times, "lean", "bare", "without Powertools")
    yield row("likewise", times, "lean", "whole", "Powertools as it comes")


def bare_start(models: Path) -> str:
    """A program that answers with the model and nothing around it."""
    return BARE.format(model=str(models / "model.onnx"))


def first_answer(module: str) -> str:
    """A program that imports a Lambda handler and answers one event."""
    return ANSWERING.format(event=str(EVENTS / "predict.json"), module=module)


def started(programs: dict[str, str], rounds: int) -> Times:
    """Seconds of each of these programs as a process of its own."""
    return in_turn({name: lambda code=code: _run(code) for name, code in programs.items()}, rounds, warmup=2)


def _run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
