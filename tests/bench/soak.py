"""Parallel clients against the local server, then 100,000 requests to the handler: nothing wrong, nothing kept.

`.venv/bin/python -m tests.bench.soak`; exit code 1 on an error, a wrong answer, or a process that grows.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Iterator

from tests.bench.soak_clients import ROOT, alone, besiege, questions, served
from tests.bench.soak_memory import sizes

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
