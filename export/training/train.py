"""Train the network: windows → base quantiles → epochs with early stopping → the best weights on disk."""

from __future__ import annotations

import copy
import ctypes
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.data.prices import Prices
from export.errors import InputError
from export.training.checkpoint import TrainingState, refuse_to_overwrite
from export.training.config import Config
from export.training.network import Network, scaled_targets
from export.training.windows import Split, cut_windows, split_by_date

EVALUATION_BATCH = 256  # windows
CACHED_BATCH = 128  # windows: twice as fast a window as 512 at once
LINEAR_PACE = 10  # of the learning rate
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


@dataclasses.dataclass(frozen=True)
class Progress:
    """Progress of a training: after each batch, and after each epoch with its `validation_loss`."""

    epoch: int
    batch: int
    batches: int
    train_loss: float
    validation_loss: float | None = None
    is_best: bool = False


@dataclasses.dataclass(frozen=True)
class Trained:
    """The best network, with the split and the losses it was chosen by."""

    network: Network
    split: Split
    history: list[dict[str, float]]
    best_epoch: int


def train(
    prices: Prices,
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Trained:
    """Fit the network to the training part of `prices`; write `model_lstm.pth` and the state to resume from.

    What is validated and kept is a running average of the weights, which wander around the best ones step by step
    (Polyak & Juditsky 1992). Epoch 0 is the untrained network, so that there is always a best one. Interrupting loses
    at most the running epoch. On CPU the result is a function of prices and config, bit for bit. Raises `InputError`.
    """
    if config.scaling not in ("ewma", "returns"):
        raise InputError(f"scaling: training reads returns, so it takes 'ewma' or 'returns', not '{config.scaling}'")
    _keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.use_deterministic_algorithms(device.type == "cpu")
    split = split_by_date(prices, config.window, config.horizon, config.validation_share, config.test_share)
    closes, train_rows, validation_rows = (
        torch.from_numpy(array).to(device) for array in (prices.y, split.train, split.validation)
    )  # (rows,), (training windows,), (validation windows,)
    torch.manual_seed(config.seed)
    network = Network(config).to(device)
    state = TrainingState(network, copy.deepcopy(network), _optimizer(network), _account(prices, split))
    if resume:
        state.restore(out)
        state.save(out)  # a kill may have come between its two files
    else:
        refuse_to_overwrite(out)
        network.start_from(_training_targets(network, closes, train_rows))
        state.averaged.load_state_dict(network.state_dict())
        state.finish_epoch(0, float("nan"), _mean_loss(network, closes, validation_rows))
        state.save(out)

    while state.epoch < config.epochs and state.epoch - state.best_epoch < config.patience:
        epoch = state.epoch + 1
        batches = torch.split(_shuffled(train_rows, config.seed, epoch), config.batch_size)
        total = 0.0  # loss of the windows so far
        for number, rows in enumerate(batches, start=1):
            total += _step(network, state.optimizer, closes, rows) * len(rows)
            state.average()
            seen = min(number * config.batch_size, len(train_rows))
            on_progress(Progress(epoch, number, len(batches), total / seen))
        train_loss, validation_loss = total / len(train_rows), _mean_loss(state.averaged, closes, validation_rows)
        state.finish_epoch(epoch, train_loss, validation_loss)
        state.save(out)
        is_best = state.best_epoch == epoch
        on_progress(Progress(epoch, len(batches), len(batches), train_loss, validation_loss, is_best))
    network.load_state_dict(state.best)
    return Trained(network.cpu().eval(), split, state.history, state.best_epoch)


def _account(prices: Prices, split: Split) -> dict[str, Any]:
    """Describe the training data and its split; `last_date` is the last close that training or early stopping sees."""
    return {
        "data": {
            "ids": list(prices.ids),
            "rows": len(prices),
            "first_date": str(prices.ds.min()),
            "last_date": str(prices.ds[prices.ds < split.test_from].max()),
            "sha256": prices.digest(),
        },
        "split": {
            "validation_from": str(split.validation_from),
            "test_from": str(split.test_from),
            "windows": {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)},
        },
    }


def _optimizer(network: Network) -> torch.optim.Optimizer:
    """AdamW, with weight decay on the weights of the LSTM and its Linear only.

    Base quantiles and volatility's weights learn `LINEAR_PACE` times as fast: the LSTM is left what they can't say.
    """
    config = network.config
    linear = {name: p for name, p in network.named_parameters() if name in ("volatility.weight", "base_gaps")}
    rest = {name: p for name, p in network.named_parameters() if name not in linear}
    groups: list[dict[str, Any]] = [
        {"params": [p for name, p in rest.items() if "weight" in name]},
        {"params": [p for name, p in rest.items() if "weight" not in name], "weight_decay": 0.0},
        {"params": list(linear.values()), "weight_decay": 0.0, "lr": config.learning_rate * LINEAR_PACE},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)


@torch.no_grad()
def _training_targets(network: Network, closes: Tensor, rows: Tensor) -> Tensor:
    """Compute the scaled targets of every training window, (windows, horizon)."""
    parts = []
    for part in torch.split(rows, EVALUATION_BATCH):
        prices, future = cut_windows(closes, part, network.config.window, network.config.horizon)
        _, scale = network.scaling.encode(prices)  # (part, 1)
        parts.append(scaled_targets(prices, future, scale))  # (part, horizon)
    return torch.cat(parts)


def _shuffled(rows: Tensor, seed: int, epoch: int) -> Tensor:
    """Shuffle the training windows for one epoch: a function of seed and epoch, so that resuming needs no history."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return rows[torch.randperm(len(rows), generator=generator).to(rows.device)]


def _step(network: Network, optimizer: torch.optim.Optimizer, closes: Tensor, rows: Tensor) -> float:
    """Take one gradient step on the windows that start at `rows` (batch,); returns the loss before it.

    The gradient is summed over parts of the batch that fit into the processor's cache.
    """
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for part in torch.split(rows, CACHED_BATCH):
        loss = loss_of(network, closes, part) * (len(part) / len(rows))
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    nn.utils.clip_grad_norm_(network.parameters(), network.config.clip_norm)
    optimizer.step()
    return total


def loss_of(network: Network, closes: Tensor, rows: Tensor) -> Tensor:
    """Mean loss over the windows that start at `rows` (batch,) of `closes` (rows of the table,) float64."""
    prices, future = cut_windows(closes, rows, network.config.window, network.config.horizon)
    return network.loss(prices, future)


@torch.no_grad()
def _mean_loss(network: Network, closes: Tensor, rows: Tensor) -> float:
    """Mean loss over all windows that start at `rows` (windows,)."""
    parts = torch.split(rows, EVALUATION_BATCH)
    return float(sum(loss_of(network, closes, part).item() * len(part) for part in parts) / len(rows))


def _keep_freed_memory() -> None:
    """Tell glibc to keep what a step frees for the next step, instead of giving it back and faulting it in again.

    Half of a step's time, measured; other allocators are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most glibc takes
        mallopt(M_TRIM_THRESHOLD, 1 << 30)
