"""`efemera batch` on 100,000 made series, Parquet to Parquet, against bare runs of the session, and against peers.

`python -m tests.bench.batch` measures this alone. What is compared is run in turn, and ratios are medians of pairs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from export.training.checkpoint import read_checkpoint
from lambda_fn.model.forecaster import open_session
from tests.bench.batch_runs import Run, made, peaks, run
from tests.bench.measure import Times, figures, in_turn, lead, middle, ratio, readable, row, settle
from tests.bench.start import ROOT

SERIES, WINDOW = 100_000, 60
PROCESSES = os.cpu_count() or 1
BLOCKS = (32, 48, 64, 80, 96, 128)  # windows in one bare run
ROUNDS, PEER_ROUNDS = 5, 3
TORCH_BATCHES = (128, 256, 512)
SAMPLE = 2000  # series that AutoETS forecasts


def rows(models: Path, scratch: Path) -> Iterator[tuple[str, ...]]:
    """The command against its floor, one process against several, memory, peers."""
    prices = made(scratch / "prices.parquet", SERIES)
    windows = _windows(prices, scratch / "windows.npy")
    block = _best_block(models, windows)
    times, runs = _measured(models, prices, scratch, block)
    yield from _against_floor(times, block)
    yield _where(runs["batch"], runs["one series"])
    yield from _speed_up(times)
    yield _memory(prices, scratch / "out")
    yield from _peers(models, prices, scratch)


def _windows(prices: Path, path: Path) -> Path:
    """The last closes of every series, as the file the floor loads: (series, window) float64."""
    query = """
        SELECT unnest(closes) AS y FROM (
            SELECT unique_id, list(y ORDER BY ds)[$first:] AS closes FROM read_parquet($path) GROUP BY unique_id
        )"""
    closes = duckdb.execute(query, {"first": -WINDOW, "path": str(prices)}).fetchnumpy()["y"]
    np.save(path, np.asarray(closes, np.float64).reshape(-1, WINDOW))
    return path


def _best_block(models: Path, path: Path) -> int:
    """The block size in which one process runs windows fastest."""
    session, windows = open_session(models / "model.onnx"), np.load(path, mmap_mode="r")
    count = 20 * max(BLOCKS)

    def bare(block: int, part: NDArray[np.float64]) -> None:
        for start in range(0, len(part), block):
            session.run(["quantiles"], {"prices": part[start : start + block]})

    parts = {block: np.array(windows[: count // block * block]) for block in BLOCKS}
    times = in_turn({str(block): lambda b=block: bare(b, parts[b]) for block in BLOCKS}, rounds=15, warmup=1)
    each = {block: statistics.median(times[str(block)]) / len(parts[block]) for block in BLOCKS}
    print("  a window in blocks of " + ", ".join(f"{block}: {readable(each[block])}" for block in BLOCKS), flush=True)
    return min(BLOCKS, key=lambda block: each[block])


def _measured(models: Path, prices: Path, scratch: Path, block: int) -> tuple[Times, dict[str, list[Run]]]:
    """Seconds of the command and of its floor, in several processes and in one, in turn."""
    one = made(scratch / "one.parquet", 1)
    windows, out = scratch / "windows.npy", scratch / "out"
    commands = {
        "batch": lambda: run(prices, out),
        "one process": lambda: run(prices, out, "--processes", "1"),
        "one core": lambda: run(prices, out, "--processes", "1", core=0),
        "one series": lambda: run(one, scratch / "one"),
    }
    times: Times = {}
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    commands["batch"]()
    for _ in range(ROUNDS):
        for processes, name in ((PROCESSES, "floor"), (1, "floor in one")):
            bare, whole = floor(models, windows, processes, block)
            times.setdefault(name, []).append(bare)
            times.setdefault(f"{name}, whole", []).append(whole)
        for name, command in commands.items():
            runs[name].append(command())
            times.setdefault(name, []).append(runs[name][-1].seconds)
    for name, seconds in times.items():
        print(f"  {name}: {' '.join(f'{one:.2f}' for one in seconds)} s", flush=True)
    print(f"  load {os.getloadavg()[0]:.1f}", flush=True)
    return times, runs


def floor(models: Path, windows: Path, processes: int, block: int) -> tuple[float, float]:
    """Seconds of bare runs over all windows in so many processes: from when all are ready, and from their start."""
    settle()
    begun = time.perf_counter()
    module = [sys.executable, "-m", "tests.bench.peers.bare_batch", str(models / "model.onnx"), str(windows)]
    bare = [
        subprocess.Popen(
            [*module, str(part), str(processes), str(block)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(processes)
    ]
    for process in bare:
        _hear(process, "ready")
    ready = time.perf_counter()
    for process in bare:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in bare:
        _hear(process, "done")
    done = time.perf_counter()
    for process in bare:
        process.communicate()
    return done - ready, time.perf_counter() - begun


def _hear(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    if process.stdout.readline().strip() != word:
        raise RuntimeError(f"the floor ended before it was {word}")


def _against_floor(times: Times, block: int) -> Iterator[tuple[str, ...]]:
    what = f"efemera batch, {SERIES:,} series × 80 rows"
    bare = f"bare runs of the {SERIES:,} windows in memory, blocks of {block}, {PROCESSES} processes"
    yield row(what, times, "batch", "floor", bare, "≤ 1.6 ×")
    yield row("likewise", times, "batch", "floor, whole", "likewise, with their processes' start and end")


def _where(runs: list[Run], small: list[Run]) -> tuple[str, ...]:
    """Shares of the command's time. What a run of one series takes before and after its shards, any run takes."""

    def share(part: str) -> float:
        return statistics.median(one.parts[part] / one.seconds for one in runs)

    fixed = {part: statistics.median(one.parts[part] for one in small) for part in ("plan", "finish")}
    start, end = (statistics.median(fixed[part] / one.seconds for one in runs) for part in ("plan", "finish"))
    plan, reading, proof = share("plan") - start, share("reading"), share("finish") - end
    words = (
        f"DuckDB {plan + reading:.0%} (plan {plan:.0%}, reading {reading:.0%}), inference {share('inference'):.0%}, "
        f"writing {share('writing'):.0%}, proof {proof:.0%}, start and end {start + end:.0%}"
    )
    return "likewise, where its time goes", middle([one.seconds for one in runs]), words, "", "", "stated"


def _speed_up(times: Times) -> Iterator[tuple[str, ...]]:
    """Of one process to several; what the machine gives is the floor's own."""
    several = f"{PROCESSES} processes"
    for name, words in (
        ("one core", "1 process, it and its plan held to one core"),
        ("one process", "1 process, its plan on all cores"),
    ):
        gain = f"{ratio(times, name, 'batch'):.2f} × as fast"
        reach = "≥ 1.8 ×" if name == "one core" else ""
        yield f"likewise, {several}", middle(times["batch"]), words, middle(times[name]), gain, reach
    gain = f"{ratio(times, 'floor in one', 'floor'):.2f} × as fast"
    yield f"bare runs, {several}", middle(times["floor"]), "1 process", middle(times["floor in one"]), gain, ""


def _memory(prices: Path, out: Path) -> tuple[str, ...]:
    held, together = peaks(lambda: run(prices, out))
    words = f"a worker at most; all processes at once {together:,.0f} MiB"
    command, worker = (f"{held[name]:,.0f} MiB" for name in ("command", "worker"))
    return "likewise, peak memory of the command", command, words, worker, "", "≤ 1.5 GiB"


def _peers(models: Path, prices: Path, scratch: Path) -> Iterator[tuple[str, ...]]:
    horizon = read_checkpoint(models / "model_lstm.pth")[0].config.horizon
    command = ["tests.bench.peers.torch_batch", str(models / "model_lstm.pth"), str(prices), str(scratch / "q.parquet")]

    def torch_script(batch: int) -> float:
        return _script(*command, str(batch))[0]

    tried = {batch: torch_script(batch) for batch in TORCH_BATCHES}
    print(
        "  PyTorch in batches of " + ", ".join(f"{batch}: {seconds:.1f} s" for batch, seconds in tried.items()),
        flush=True,
    )
    best = min(tried, key=lambda batch: tried[batch])
    times: Times = {"batch": [], "torch": []}
    for _ in range(PEER_ROUNDS):
        times["batch"].append(run(prices, scratch / "out").seconds)
        times["torch"].append(torch_script(best))
    words = f"a pandas and PyTorch script, eager, batches of {best}, {PROCESSES} threads, nothing checked or proven"
    what = f"efemera batch, {SERIES:,} series"
    yield lead(what, times, "batch", "torch", words, "ahead")
    few = SAMPLE // 10
    _, told = _script("tests.bench.peers.auto_ets", str(prices), str(horizon), str(few), str(few + SAMPLE))
    less, more = json.loads(told)
    whole = (more - less) / SAMPLE * SERIES
    words = f"statsforecast AutoETS, {PROCESSES} cores, {SAMPLE:,} series scaled up"
    ahead = whole / statistics.median(times["batch"])
    yield "likewise", middle(times["batch"]), words, readable(whole), f"{ahead:.0f} × ahead", "ahead"


def _script(*arguments: str) -> tuple[float, str]:
    """Seconds of a module as a process of its own, and what it printed."""
    settle()
    begun = time.perf_counter()
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun, done.stdout.decode()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        figures("batch", rows(ROOT / "models", Path(folder)))
