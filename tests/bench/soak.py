"""Parallel clients against the local server, then 100,000 requests to the handler: nothing wrong, nothing kept.

`.venv/bin/python -m tests.bench.soak`; exit code 1 on an error, a wrong answer, or a process that grows.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
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


# The server


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
    """What became of the requests."""

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


# The handler


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
    """What the handler is asked in turn, and what it is asked every thousandth time."""
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


def answer_many(marks: list[int], handler: Callable[[Any, Any], dict[str, Any]] | None = None) -> None:
    """Answer as many requests as the last mark says; at each mark print a JSON line with this process's size."""
    if handler is None:
        from lambda_fn import api

        handler = api.handler
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


def sizes(marks: list[int], handler: str = "") -> Iterator[dict[str, int]]:
    """What `answer_many` prints in a process of its own; `handler` is code that defines another one."""
    code = f"{handler}\nfrom tests.bench.soak import answer_many\nanswer_many({marks}{', handler' if handler else ''})"
    environment = plain_environment()
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise RuntimeError(f"the process ended with {process.returncode}")


# Both, at length

WARM = 10_000  # requests after which a process has its size
# Two runs of 400,000 requests stayed within 2.5 and 4.3 MiB: one step up of 1.5 and 3.2 MiB, as an allocator takes
# memory, and level after it. 5 MiB in 90,000 requests are 58 bytes each: less than a list, or a word in one, of each.
LARGEST_GROWTH = 5 << 20


def soak_server(clients: int, seconds: float) -> bool:
    """Parallel clients for so long, against the committed model; prints the figures, whether all was right."""
    asked = questions()
    with served(ROOT / "models") as address:
        expected = alone(address, asked)
        end = time.monotonic() + seconds

        def turns() -> Iterator[int]:
            return itertools.takewhile(lambda _: time.monotonic() < end, itertools.count())

        with _clock(f"{clients} clients", seconds):
            tally = besiege(address, asked, expected, clients, turns)
    print(f"{clients} parallel clients for {seconds:g} s: {len(tally.seconds):,} requests, ", end="")
    print(f"{len(tally.errors)} errors, {len(tally.wrong)} wrong answers, ", end="")
    if tally.seconds:
        print(f"p50 {tally.percentile(0.5) * 1e3:.0f} ms, p99 {tally.percentile(0.99) * 1e3:.0f} ms", end="")
    print()
    for fault in [*tally.errors[:10], *tally.wrong[:10]]:
        print(f"  {fault}")
    return bool(tally.seconds) and not tally.errors and not tally.wrong


def soak_handler(requests: int) -> bool:
    """Mixed requests to the handler in a process of its own; prints its size; whether all was right, nothing kept."""
    marks = sorted({1000, WARM, *range(WARM, requests + 1, WARM), requests})
    found: dict[int, int] = {}
    wrong = 0
    print(f"{requests:,} mixed requests to the handler, resident size after")
    for told in sizes(marks):
        found[told["requests"]], wrong = told["bytes"], told["wrong"]
        print(f"  {told['requests']:>9,}  {told['bytes'] / 2**20:6.1f} MiB", flush=True)
    growth = found[requests] - found[WARM]
    verdict = "within" if growth <= LARGEST_GROWTH else "MORE THAN"
    print(f"  {wrong} wrong answers; growth from {WARM:,} to {requests:,}: {growth / 2**20:+.1f} MiB, ", end="")
    print(f"{verdict} the bound of {LARGEST_GROWTH / 2**20:.0f} MiB")
    return not wrong and growth <= LARGEST_GROWTH


@contextlib.contextmanager
def _clock(what: str, seconds: float) -> Iterator[None]:
    """Show on a terminal how far the time has come."""
    ended, begun = threading.Event(), time.monotonic()

    def show() -> None:
        while not ended.wait(0.5):
            print(f"\r{what}: {time.monotonic() - begun:3.0f} of {seconds:g} s", end="", file=sys.stderr, flush=True)
        print("\r\033[K", end="", file=sys.stderr, flush=True)

    thread = threading.Thread(target=show, daemon=True)
    if sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()


def main() -> None:
    """Soak both."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60, help="how long the clients ask")
    parser.add_argument("--requests", type=int, default=100_000, help=f"to the handler, more than {WARM:,}")
    chosen = parser.parse_args()
    if chosen.clients < 1 or chosen.seconds <= 0 or chosen.requests <= WARM:
        parser.error(f"--clients and --seconds must be positive, --requests more than {WARM}")
    try:
        results = [soak_server(chosen.clients, chosen.seconds), soak_handler(chosen.requests)]
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
