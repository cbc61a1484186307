"""Parallel clients of the local server, each of whose answers must be the one it gets alone."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60  # seconds for one answer: a server that hangs is an error, not a test without end


class Question(NamedTuple):
    """One request and the status it must get."""

    name: str
    method: str
    path: str
    body: str
    status: int


def walk(seed: int, days: int = 60) -> list[float]:
    """A seeded walk of closes, in cents."""
    chance, close = random.Random(seed), 40.0
    return [round(close := close * (1 + chance.gauss(0, 0.02)), 2) for _ in range(days)]


def many(count: int, seed: int) -> str:
    """A request of several series."""
    return json.dumps({"series": [{"id": f"S{seed}-{i}", "prices": walk(seed + i)} for i in range(count)]})


def tensors(count: int, seed: int) -> str:
    """An Open Inference Protocol request."""
    data = [walk(seed + i) for i in range(count)]
    return json.dumps({"inputs": [{"name": "prices", "shape": [count, 60], "datatype": "FP64", "data": data}]})


def questions() -> list[Question]:
    """Requests that no two get the same answer, so that one client's answer can't pass for another's."""
    singles = [json.dumps({"prices": walk(seed)}) for seed in range(5)]
    return [
        *(Question(f"single {i}", "POST", "/predict", body, 200) for i, body in enumerate(singles)),
        Question("30 series", "POST", "/predict", many(30, 100), 200),
        Question("infer", "POST", "/v2/models/efemera/infer", tensors(3, 200), 200),
        Question("invalid", "POST", "/predict", json.dumps({"prices": walk(300)[:-1]}), 422),
        Question("no JSON", "POST", "/predict", '{"prices": [', 400),
        Question("health", "GET", "/health", "", 200),
        Question("no path", "GET", "/nowhere", "", 404),
    ]


@contextlib.contextmanager
def served(model: Path) -> Iterator[str]:
    """`efemera serve --port 0` in a process of its own; its address."""
    command = [sys.executable, "-W", "error", "-m", "export", "serve", "--port", "0", "--model", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            address = next((word for word in line.split() if word.startswith("http://")), None)
            if address is None:
                raise RuntimeError(f"the server did not start: {line!r}")
            yield address
        finally:
            process.kill()


def connect(address: str) -> http.client.HTTPConnection:
    """A connection that is kept."""
    return http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE)


class Reply(NamedTuple):
    """One answer; the id of its request, which no other has, is taken out of the body."""

    status: int
    kind: str | None
    body: bytes
    request_id: str


def ask(connection: http.client.HTTPConnection, question: Question) -> Reply:
    """Ask over a kept connection."""
    headers = {"Content-Type": "application/json"} if question.body else {}
    connection.request(question.method, question.path, question.body.encode() or None, headers)
    response = connection.getresponse()
    body, name = response.read(), response.headers.get("X-Request-Id", "")
    if name:
        body = body.replace(name.encode(), b"REQUEST-ID")
    return Reply(response.status, response.headers.get("Content-Type"), body, name)


@dataclass
class Tally:
    """Outcomes of the requests."""

    seconds: list[float] = field(default_factory=list)  # of each answer
    errors: list[str] = field(default_factory=list)  # no answer at all
    wrong: list[str] = field(default_factory=list)  # another answer than the same request got alone
    ids: list[str] = field(default_factory=list)  # of requests

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the answers came."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def judge(self) -> None:
        """Count an id that two requests got as a wrong answer."""
        counts = Counter(self.ids).items()
        self.wrong += [f"the request id {name!r} was given {count} times" for name, count in counts if count > 1]


def alone(address: str, asked: list[Question]) -> list[Reply]:
    """The answer to each question with nobody else there. Raises `RuntimeError` on a status that is not right."""
    replies = []
    with contextlib.closing(connect(address)) as connection:
        for question in asked:
            replies.append(ask(connection, question))
            if replies[-1].status != question.status:
                raise RuntimeError(f"{question.name}: {replies[-1].status}, expected {question.status}")
    return replies


def besiege(
    address: str, asked: list[Question], expected: list[Reply], clients: int, turns: Callable[[], Iterable[int]]
) -> Tally:
    """Ask from parallel clients, each over a connection of its own and each beginning with another question.

    `turns` gives each client its turns, and so says when to end. An answer must be the very bytes that the same
    question got alone.
    """
    tally = Tally()

    def client(number: int) -> None:
        connection = connect(address)
        for turn in turns():
            position = (number + turn) % len(asked)
            begun = time.perf_counter()
            try:
                reply = ask(connection, asked[position])
            except (OSError, http.client.HTTPException) as error:
                tally.errors.append(f"{asked[position].name}: {type(error).__name__}: {error}")
                connection.close()
                connection = connect(address)
                continue
            tally.seconds.append(time.perf_counter() - begun)
            tally.ids.append(reply.request_id)
            if reply[:3] != expected[position][:3]:
                tally.wrong.append(f"{asked[position].name}: {reply.status} {reply.body[:200]!r}")
        connection.close()

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.judge()
    return tally
