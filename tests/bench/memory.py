"""Measure the resident memory of a process after requests of every kind, against a bare session after as many runs."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.events import event_of, several
from tests.bench.start import ROOT, bare_start

REQUESTS, WINDOW, ROUNDS = 10_000, 60, 3
SERVING = """
import json, os, sys
sys.stdout = open(os.devnull, "w", buffering=1)
from lambda_fn.api.handler import handler
events = json.load(open({events!r}))
statuses = {{handler(events[number % len(events)], None)["statusCode"] for number in range({requests})}}
assert statuses == {{200, 422}}, statuses
"""
RUNNING = """
for _ in range({requests}):
    session.run(None, {{"prices": numpy.linspace(40, 41, 60).reshape(1, 60)}})
"""
RESIDENT = """
import os, sys
pages = int(open("/proc/self/statm").read().split()[1])
print(pages * os.sysconf("SC_PAGE_SIZE"), file=sys.__stdout__)
"""


def rows(models: Path, scratch: Path) -> Iterator[tuple[str, ...]]:
    """Compare processes of their own, in turn."""
    events = [event_of("predict"), several(20, WINDOW)[0], event_of("predict_invalid"), event_of("health")]
    (scratch / "events.json").write_text(json.dumps(events), encoding="utf-8")
    serving = SERVING.format(events=str(scratch / "events.json"), requests=REQUESTS) + RESIDENT
    running = bare_start(models) + RUNNING.format(requests=REQUESTS) + RESIDENT
    pairs = [(_bytes(serving), _bytes(running)) for _ in range(ROUNDS)]
    ours, bare = (statistics.median(values) / 1e6 for values in zip(*pairs, strict=True))
    share = statistics.median(one / other for one, other in pairs)
    yield (
        f"resident memory after {REQUESTS:,} requests",
        f"{ours:.1f} MB",
        f"bare session after {REQUESTS:,} runs",
        f"{bare:.1f} MB",
        f"{share:.2f} ×",
        "≤ 1.25 ×",
    )


def _bytes(code: str) -> int:
    """Return what a program prints at its end."""
    return int(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout)
