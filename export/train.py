"""Trains the network: windows → base quantiles → epochs with early stopping → the best weights, resumable."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from export.checkpoint import load_tensors, save_checkpoint, save_whole
from export.config import Config
from export.errors import InputError
from export.network import Network, targets_of
from export.prices import Prices
from export.windows import Split, split_by_date

MODEL_FILE = "model_lstm.pth"
STATE_FILE = "training_state.pth"
STATE_FORMAT = "efemera-training-1"
EVALUATION_BATCH = 1024
MAY_CHANGE = {"epochs", "patience"}  # settings a resumed training may change


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where training stands, after each batch (`validation_loss` None) and after each epoch."""

    epoch: int
    batch: int
    batches: int
    train_loss: float
    validation_loss: float | None = None
    best_loss: float = float("inf")
    best_epoch: int = 0


@dataclasses.dataclass(frozen=True)
class Trained:
    """The best network and the account of how it came to be."""

    network: Network
    split: Split
    history: list[dict[str, float]]
    best_epoch: int


@dataclasses.dataclass
class _State:
    """All that the next epoch depends on, and nothing else: saving it is what makes a resumed run the same run."""

    network: Network
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor]
    history: list[dict[str, float]]

    @property
    def best_epoch(self) -> int:
        return int(min(self.history, key=lambda line: line["validation_loss"])["epoch"])

    @property
    def best_loss(self) -> float:
        return min(line["validation_loss"] for line in self.history)

    @property
    def epoch(self) -> int:
        return int(self.history[-1]["epoch"])


def train(
    prices: Prices,
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Fit the network to the training part of `prices`; write `model_lstm.pth` and the state to resume from.

    Epoch 0 is the untrained network, so that there is always a best one. Interrupting loses at most the running
    epoch. On CPU the result is a function of prices and config, bit for bit. Raises `InputError`.
    """
    if config.scaling not in ("ewma", "returns"):
        raise InputError(
            f"scaling: training reads returns, so it takes 'ewma' or 'returns', not '{config.scaling}'"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.use_deterministic_algorithms(device.type == "cpu")
    split = split_by_date(prices, config.window, config.horizon, config.validation_share, config.test_share)
    closes = torch.from_numpy(prices.y).to(device)
    train_rows, validation_rows = (
        torch.from_numpy(rows).to(device) for rows in (split.train, split.validation)
    )

    torch.manual_seed(config.seed)
    network = Network(config).to(device)
    state = _State(network, _optimizer(network), {}, [])
    account = _account(prices, split)
    if resume:
        _restore(state, out, account)
    else:
        _refuse_to_overwrite(out)
        network.start_from(_all_targets(network, closes, train_rows))
        _finish_epoch(state, 0, float("nan"), _mean_loss(network, closes, validation_rows))
        _save(state, out, account)

    while state.epoch < config.epochs and state.epoch - state.best_epoch < config.patience:
        epoch = state.epoch + 1
        order = _shuffled(train_rows, config.seed, epoch)
        batches = order.split(config.batch_size)
        total = torch.zeros((), device=device)
        for number, rows in enumerate(batches, start=1):
            total += _step(network, state.optimizer, closes, rows) * len(rows)
            on_progress(
                Progress(
                    epoch, number, len(batches), total.item() / min(number * config.batch_size, len(order))
                )
            )
        train_loss = total.item() / len(order)
        _finish_epoch(state, epoch, train_loss, _mean_loss(network, closes, validation_rows))
        _save(state, out, account)
        last = state.history[-1]["validation_loss"]
        on_progress(
            Progress(epoch, len(batches), len(batches), train_loss, last, state.best_loss, state.best_epoch)
        )
    network.load_state_dict(state.best)
    return Trained(network.cpu().eval(), split, state.history, state.best_epoch)


def _step(network: Network, optimizer: torch.optim.Optimizer, closes: Tensor, rows: Tensor) -> Tensor:
    """One gradient step on the windows that start at `rows` (batch,); the loss before it."""
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of(network, closes, rows)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), network.config.clip_norm)
    optimizer.step()
    return loss.detach()


def loss_of(network: Network, closes: Tensor, rows: Tensor) -> Tensor:
    """Mean loss over the windows that start at `rows`, in scaled log returns."""
    window, horizon = network.config.window, network.config.horizon
    cut = closes[
        rows.unsqueeze(1) + torch.arange(window + horizon, device=rows.device)
    ]  # (batch, window + horizon)
    prices, future = cut[:, :window], cut[:, window:]
    head, _ = network.scaled(prices)  # (batch, horizon, quantiles)
    target = targets_of(network, prices, future).unsqueeze(-1)  # (batch, horizon, 1)
    if network.config.loss == "mse":
        return nn.functional.mse_loss(head, target)
    return pinball(head, target, torch.tensor(network.config.quantiles, device=head.device))


def pinball(forecast: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Mean pinball loss of quantile forecasts (…, quantiles) against targets (…, 1), at `levels` (quantiles,).

    max(q e, (q − 1) e) with e = target − forecast (Koenker & Bassett 1978).
    """
    error = target - forecast
    return torch.maximum(levels * error, (levels - 1) * error).mean()


def _optimizer(network: Network) -> torch.optim.Optimizer:
    """AdamW; decay pulls the weights that read the window, not the biases or the base quantiles."""
    decayed = [p for name, p in network.named_parameters() if "weight" in name]
    free = [p for name, p in network.named_parameters() if "weight" not in name]
    groups = [{"params": decayed}, {"params": free, "weight_decay": 0.0}]
    config = network.config
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)


@torch.no_grad()
def _mean_loss(network: Network, closes: Tensor, rows: Tensor) -> float:
    network.eval()
    total = sum(loss_of(network, closes, part).item() * len(part) for part in rows.split(EVALUATION_BATCH))
    network.train()
    return total / len(rows)


@torch.no_grad()
def _all_targets(network: Network, closes: Tensor, rows: Tensor) -> Tensor:
    """Scaled targets of every training window, (windows, horizon)."""
    window, span = network.config.window, torch.arange(network.config.window + network.config.horizon)
    parts = []
    for part in rows.split(EVALUATION_BATCH):
        cut = closes[part.unsqueeze(1) + span.to(rows.device)]
        parts.append(targets_of(network, cut[:, :window], cut[:, window:]))
    return torch.cat(parts)


def _shuffled(rows: Tensor, seed: int, epoch: int) -> Tensor:
    """The training windows in the order of this epoch: a function of seed and epoch, so resuming needs no history."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return rows[torch.randperm(len(rows), generator=generator).to(rows.device)]


def _finish_epoch(state: _State, epoch: int, train_loss: float, validation_loss: float) -> None:
    """Write the epoch's line, and keep the weights if they are the best so far."""
    if not np.isfinite(validation_loss):
        raise InputError(
            f"training diverged in epoch {epoch}: the validation loss is {validation_loss}; lower learning_rate"
        )
    state.history.append({"epoch": epoch, "train_loss": train_loss, "validation_loss": validation_loss})
    if state.best_epoch == epoch:
        state.best = {name: tensor.detach().clone() for name, tensor in state.network.state_dict().items()}


def _save(state: _State, out: Path, account: dict[str, Any]) -> None:
    """The state to resume from, then the best network so far; each file is whole at any moment."""
    values = {
        "format": STATE_FORMAT,
        "config": state.network.config.as_dict(),
        "account": account,
        "network": state.network.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "best": state.best,
        "history": state.history,
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        save_whole(out / STATE_FILE, values)
        best = Network(state.network.config)
        best.load_state_dict(state.best)
        history = [{k: v for k, v in line.items() if v == v} for line in state.history]
        save_checkpoint(
            out / MODEL_FILE, best, {**account, "history": history, "best_epoch": state.best_epoch}
        )
    except OSError as error:
        raise InputError(f"{out}: can't be written ({error.strerror})") from None


def _restore(state: _State, out: Path, account: dict[str, Any]) -> None:
    """Continue where `out` stopped; the same prices and settings, or an `InputError` saying what differs."""
    path = out / STATE_FILE
    values = load_tensors(path)
    if values.get("format") != STATE_FORMAT:
        raise InputError(f"{path}: not the state of a training")
    wanted = state.network.config.as_dict()
    for key, stored in values["config"].items():
        if key not in MAY_CHANGE and wanted.get(key) != stored:
            raise InputError(
                f"{path}: was trained with {key} = {stored}, not {wanted.get(key)}; resume with the same"
            )
    if values["account"]["data"]["sha256"] != account["data"]["sha256"]:
        raise InputError(f"{path}: was trained on other prices; resume with the same")
    state.network.load_state_dict(values["network"])
    state.optimizer.load_state_dict(values["optimizer"])
    state.best, state.history = values["best"], values["history"]


def _refuse_to_overwrite(out: Path) -> None:
    if (out / STATE_FILE).exists():
        raise InputError(
            f"{out}: already holds a training; continue it with --resume, or choose another --out"
        )


def _account(prices: Prices, split: Split) -> dict[str, Any]:
    """What the weights were fitted on; `last_date` is the last close that training or early stopping saw."""
    seen = prices.ds[prices.ds < split.test_from]
    return {
        "data": {
            "ids": list(prices.ids),
            "rows": len(prices),
            "first_date": str(prices.ds.min()),
            "last_date": str(seen.max()),
            "sha256": prices.digest(),
        },
        "split": {
            "validation_from": str(split.validation_from),
            "test_from": str(split.test_from),
            "windows": {
                "train": len(split.train),
                "validation": len(split.validation),
                "test": len(split.test),
            },
        },
    }
