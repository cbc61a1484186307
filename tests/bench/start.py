"""Time whole processes from their start to a first answer, against bare onnxruntime."""

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


def rows(models: Path) -> Iterator[tuple[str, ...]]:
    """Compare the function as a process with a bare one."""
    times = started({"handler": first_answer("lambda_fn.api.handler"), "bare": bare_start(models)}, rounds=21)
    yield row("process start to first answer", times, "handler", "bare", "bare onnxruntime", "≤ 1.6 ×")


def bare_start(models: Path) -> str:
    """Return a program that answers with the model and nothing around it."""
    return BARE.format(model=str(models / "model.onnx"))


def first_answer(module: str) -> str:
    """Return a program that imports a Lambda handler and answers one event."""
    return ANSWERING.format(event=str(EVENTS / "predict.json"), module=module)


def started(programs: dict[str, str], rounds: int) -> Times:
    """Time each of these programs as a process of its own, in seconds."""
    return in_turn({name: lambda code=code: _run(code) for name, code in programs.items()}, rounds, warmup=2)


def _run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
