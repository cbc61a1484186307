"""Training: seconds an epoch, and windows a second against a bare PyTorch loop on tensors already in memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

import torch
from torch import nn

from export.data.prices import Prices
from export.training.config import Config
from export.training.network import Network, pinball
from export.training.train import CACHED_BATCH, _keep_freed_memory, _optimizer, _step
from export.training.windows import split_by_date
from tests.bench.measure import in_turn, ratio, readable

STEPS = 20  # gradient steps a round


class Bare(nn.Module):
    """The recurrent part and the Linear alone."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, config.hidden_size, config.layers, batch_first=True)
        self.linear = nn.Linear(config.hidden_size, config.horizon * 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, window, 1) → (batch, horizon, 3)."""
        _, (h, _) = self.lstm(x)
        return self.linear(h[-1]).reshape(len(x), -1, 3)


def rows(prices: Prices) -> Iterator[tuple[str, ...]]:
    """Time both loops in turn."""
    config = Config()
    split = split_by_date(prices, config.window, config.horizon, config.validation_share, config.test_share)
    closes = torch.from_numpy(prices.y)
    batches = torch.split(torch.from_numpy(split.train)[torch.randperm(len(split.train))], config.batch_size)[:STEPS]
    torch.manual_seed(0)
    network = Network(config)
    ours = _optimizer(network)
    bare = Bare(config)
    theirs = torch.optim.AdamW(bare.parameters())  # forward, backward, step, and nothing else
    x = torch.randn(CACHED_BATCH, config.window, 1)  # the size that is fastest for the bare loop too
    y = torch.randn(CACHED_BATCH, config.horizon, 1)
    levels = torch.tensor([0.1, 0.5, 0.9])

    def efemera() -> None:
        for batch in batches:
            _step(network, ours, closes, batch)

    def floor(steps: int = STEPS, threads: int = 1) -> None:
        torch.set_num_threads(threads)
        for _ in range(steps):
            theirs.zero_grad(set_to_none=True)
            for _ in range(config.batch_size // CACHED_BATCH):
                pinball(bare(x), y, levels).backward()
            theirs.step()
        torch.set_num_threads(1)

    cores = os.cpu_count() or 1
    _keep_freed_memory()  # as `train` does; the bare loop has the good of it too
    loops = {"efemera": efemera, "bare": floor, "threads": lambda: floor(threads=cores)}
    times = in_turn(loops, rounds=7, warmup=1)
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        beside = in_turn({"one": lambda: floor(2), "several": lambda: floor(2, cores)}, rounds=3, warmup=1)
    finally:
        busy.kill()
        busy.wait()
    windows = sum(len(batch) for batch in batches)
    seconds = statistics.median(times["efemera"])
    yield (
        "training, windows/s",
        f"{windows / seconds:,.0f}",
        "bare loop, 1 thread",
        f"{windows / statistics.median(times['bare']):,.0f}",
        f"{ratio(times, 'bare', 'efemera'):.2f} ×",
        "≥ 0.90 ×",
    )
    yield (
        "the same",
        f"{windows / seconds:,.0f}",
        f"bare loop, {cores} threads",
        f"{windows / statistics.median(times['threads']):,.0f}",
        f"{ratio(times, 'threads', 'efemera'):.2f} ×",
        "",
    )
    per_second = {name: 2 * config.batch_size / statistics.median(values) for name, values in beside.items()}
    yield (
        "bare loop, 1 thread, beside a busy process",
        f"{per_second['one']:,.0f}",
        f"{cores} threads, likewise",
        f"{per_second['several']:,.0f}",
        f"{ratio(beside, 'several', 'one'):,.1f} ×",
        "",
    )
    epoch = seconds * len(split.train) / windows
    yield f"training, one epoch of {len(split.train):,} windows", readable(epoch), "", "", "", ""
