"""The size of a process that answers many mixed requests."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from tests.bench.soak_clients import ROOT, Question, many, tensors, walk


def event_of(question: Question) -> str:
    """The event of a question, as the JSON text that Lambda's runtime reads it from."""
    http_part = {"method": question.method, "path": question.path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
    return json.dumps(
        {
            "version": "2.0",
            "rawPath": question.path,
            "rawQueryString": "",
            "headers": {"content-type": "application/json", "accept-encoding": "gzip"},
            "requestContext": {"http": http_part, "requestId": "soak", "stage": "$default"},
            "body": question.body or None,
            "isBase64Encoded": False,
        }
    )


def mixture() -> tuple[list[Question], Question]:
    """Requests that are sent in turn, and the one sent every thousandth time."""
    common = [
        *(
            Question("single", "POST", "/predict", json.dumps({"prices": walk(seed, 60 + seed)}), 200)
            for seed in range(9)
        ),
        Question("20 series", "POST", "/predict", many(20, 100), 200),
        Question("infer", "POST", "/v2/models/efemera/infer", tensors(2, 200), 200),
        Question("no JSON", "POST", "/predict", '{"prices": [', 400),
        Question("invalid", "POST", "/predict", json.dumps({"prices": [*walk(300), None], "horizon": 9}), 422),
        Question("bad series", "POST", "/predict", json.dumps({"series": [{"id": "a", "prices": []}]}), 200),
        Question("health", "GET", "/health", "", 200),
        Question("no path", "GET", "/nowhere", "", 404),
        Question("no method", "PUT", "/predict", "", 405),
    ]
    return common, Question("1,000 series", "POST", "/predict", many(1000, 400), 200)


def resident() -> int:
    """Bytes of memory that this process holds now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def answer_many(marks: list[int]) -> None:
    """Answer as many requests as the last mark says; at each mark print a JSON line with this process's size."""
    from lambda_fn.api.handler import handler

    common, rare = mixture()
    events, thousandth = [(event_of(question), question.status) for question in common], (event_of(rare), rare.status)
    context = SimpleNamespace(aws_request_id="soak", get_remaining_time_in_millis=lambda: 10_000)
    wrong, report = 0, sys.stdout
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        for number in range(1, marks[-1] + 1):
            text, status = thousandth if number % 1000 == 500 else events[number % len(events)]
            wrong += handler(json.loads(text), context)["statusCode"] != status
            if number in marks:
                print(json.dumps({"requests": number, "wrong": wrong, "bytes": resident()}), file=report, flush=True)


def plain_environment() -> dict[str, str]:
    """This process's, for one that is to answer as Lambda does, and to print nothing at its start."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("EFEMERA_", "POWERTOOLS_"))}
    return {**ours, "POWERTOOLS_LOG_LEVEL": "ERROR"}


def sizes(marks: list[int]) -> Iterator[dict[str, int]]:
    """Run `answer_many` in a process of its own, and yield what it prints."""
    code = f"from tests.bench.soak_memory import answer_many; answer_many({marks})"
    environment = plain_environment()
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise RuntimeError(f"the process ended with {process.returncode}")
