"""One handler in a warm process of its own, as on Lambda: it asks itself when told to, and says how long that took.

Handlers that take turns in one process pay for each other's memory: the leanest one a quarter of its time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from tests.bench.events import event_of
from tests.bench.measure import unseen
from tests.bench.start import ROOT


class Contender:
    """A process that serves `module`'s handler, for as long as the `with` lasts."""

    def __init__(self, module: str) -> None:
        command = [sys.executable, "-m", "tests.bench.contender", module]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.answer: dict[str, Any] = json.loads(self._read())  # to tests/events/predict.json

    def __enter__(self) -> Contender:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its input, which ends it, and waits
            pass

    def seconds(self, requests: int) -> list[float]:
        """Let it answer so many requests, one after another: the seconds of each."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{requests}\n")
        found: list[float] = json.loads(self._read())
        return found

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args[-1]} ended with {self._process.wait()}")
        return line


def _serve(module: str) -> None:
    """Run the process: print the answer, then the seconds of as many requests as each line of its input says."""
    import importlib

    answers = sys.stdout
    with unseen():
        handler, event = importlib.import_module(module).handler, event_of("predict")
        print(json.dumps(handler(event, None)), file=answers, flush=True)
        for line in sys.stdin:
            seconds = []
            for _ in range(int(line)):
                begun = time.perf_counter()
                handler(event, None)
                seconds.append(time.perf_counter() - begun)
            print(json.dumps(seconds), file=answers, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
