"""`efemera batch` as a process of its own: its seconds, where they went, and the most memory its processes held."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from tests.bench.measure import settle
from tests.bench.start import ROOT

COMMAND = [str(Path(sys.executable).with_name("efemera")), "batch"]
DAY, CALENDAR = "2025-12-30", "BVMF"  # the last session of a made table
WORK = ("reading", "inference", "writing", "scoring")  # what a worker counts


@dataclasses.dataclass(frozen=True)
class Run:
    """One run."""

    seconds: float
    parts: dict[str, float]  # of these: where they went
    worked: dict[str, float]  # seconds of all workers together
    series: int
    shards: int


def made(path: Path, series: int, days: int = 80) -> Path:
    """A table of made closes, as `efemera data sample` writes it; the one that is there, if one is."""
    if path.exists():
        return path
    counts = ["--series", str(series), "--days", str(days), "--end", DAY, "--calendar", CALENDAR]
    command = [sys.executable, "-m", "export", "data", "sample", *counts, "--out", str(path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return path


def last_days(prices: Path, count: int) -> list[str]:
    """The last sessions of a table, oldest first."""
    query = "SELECT DISTINCT ds FROM read_parquet($path) ORDER BY ds DESC LIMIT $count"
    found = duckdb.execute(query, {"path": str(prices), "count": count}).fetchall()
    return [str(day)[:10] for (day,) in reversed(found)]


def run(prices: Path, out: Path, *options: str, day: str = DAY, core: int | None = None) -> Run:
    """Forecast a table from the start of the process to its end, as if nothing of that day were there.

    `core` holds the process and its workers to one. What was put there when is read from the files' own times.
    """
    for earlier in (out / "runs" / day, out / "scores" / f"{day}.parquet"):
        _remove(earlier)
    settle()
    began, clock = time.time(), time.perf_counter()
    subprocess.run(
        [*COMMAND, "--prices", str(prices), "--out", str(out), "--as-of", day, "--calendar", CALENDAR, *options],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
    )
    return _timed(out / "runs" / day, began, time.perf_counter() - clock)


def _timed(day: Path, began: float, seconds: float) -> Run:
    """Read a run's folder: when the plan, the last shard and the proof were done, and what workers counted."""
    [folder] = day.iterdir()
    planned = (folder / "plan.json").stat().st_mtime - began
    marks = list((folder / "done").iterdir())
    forecast = max(mark.stat().st_mtime for mark in marks) - began
    told = [json.loads(mark.read_bytes())["seconds"] for mark in marks]
    worked = {name: sum(one[name] for one in told) for name in WORK}
    # Workers run side by side: of the time in which shards were forecast each kind of work has its share.
    share = (forecast - planned) / sum(worked.values())
    success = json.loads((folder / "_SUCCESS.json").read_bytes())
    parts = {"plan": planned, **{name: value * share for name, value in worked.items()}, "finish": seconds - forecast}
    return Run(seconds, parts, worked, success["series"], len(marks))


def peaks(action: Callable[[], object]) -> tuple[dict[str, float], float]:
    """The most memory (MiB, resident) that the processes `action` starts ever held, by their depth; and of all at once.

    Depth 1 is the command, 2 what makes its workers, 3 the workers themselves.
    """
    found: dict[int, float] = {}
    together, ended = 0.0, threading.Event()

    def watch() -> None:
        nonlocal together
        while not ended.wait(0.02):
            held = 0.0
            for depth, process in _descendants(os.getpid()):
                peak, now = _memory(process)
                found[depth] = max(found.get(depth, 0), peak)
                held += now
            together = max(together, held)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        action()
    finally:
        ended.set()
        watcher.join()
    workers = max((peak for depth, peak in found.items() if depth > 1), default=0.0)
    return {"command": found[1], "worker": workers}, together


def _descendants(process: int, depth: int = 1) -> Iterator[tuple[int, int]]:
    try:
        tasks = [(Path(task) / "children").read_text() for task in Path(f"/proc/{process}/task").iterdir()]
    except OSError:  # it has ended
        return
    for child in (int(word) for text in tasks for word in text.split()):
        yield depth, child
        yield from _descendants(child, depth + 1)


def _memory(process: int) -> tuple[float, float]:
    """The most that a process has held so far, and what it holds."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    return tuple(int(told.get(name, "0 kB").split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))  # type: ignore[return-value]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
