"""What the next epoch depends on, on disk: saved after each one, so that an interrupted training can go on."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export.conversion.checkpoint import load_tensors, save_checkpoint, save_whole
from export.errors import InputError
from export.training.network import Network

MODEL_FILE = "model_lstm.pth"
STATE_FILE = "training_state.pth"
FORMAT = "efemera-training-2"
MAY_CHANGE = {"epochs", "patience"}  # settings a resumed training may change


@dataclasses.dataclass
class TrainingState:
    """All that the next epoch depends on, and nothing else: this is what makes a resumed run the same run."""

    network: Network
    averaged: Network
    optimizer: torch.optim.Optimizer
    account: dict[str, Any]  # what the weights are fitted on: data and split
    best: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)  # epoch, train_loss, validation_loss

    @property
    def epoch(self) -> int:
        """The last finished epoch; 0 is the untrained network."""
        return int(self.history[-1]["epoch"])

    @property
    def best_epoch(self) -> int:
        """The first epoch with the lowest validation loss."""
        return int(min(self.history, key=lambda line: line["validation_loss"])["epoch"])

    @property
    def best_loss(self) -> float:
        """The lowest validation loss."""
        return min(line["validation_loss"] for line in self.history)

    @torch.no_grad()
    def average(self) -> None:
        """Take the weights of a step into their running average."""
        kept: list[Tensor] = list(self.averaged.parameters())
        torch._foreach_lerp_(kept, list[Tensor](self.network.parameters()), 1.0 - self.network.config.averaging)

    def finish_epoch(self, epoch: int, train_loss: float, validation_loss: float) -> None:
        """Write the epoch's line, and keep the weights if they are the best so far."""
        if not math.isfinite(validation_loss):
            raise InputError(
                f"training diverged in epoch {epoch}: validation loss {validation_loss}; lower learning_rate"
            )
        self.history.append({"epoch": epoch, "train_loss": train_loss, "validation_loss": validation_loss})
        if self.best_epoch == epoch:
            self.best = {name: tensor.detach().clone() for name, tensor in self.averaged.state_dict().items()}

    def save(self, out: Path) -> None:
        """The state to resume from, then the best network so far; each file is whole at any moment."""
        values = {
            "format": FORMAT,
            "config": self.network.config.as_dict(),
            "account": self.account,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "history": self.history,
        }
        best = Network(self.network.config)
        best.load_state_dict(self.best)
        training = {**self.account, "history": self.history, "best_epoch": self.best_epoch}
        try:
            out.mkdir(parents=True, exist_ok=True)
            save_whole(out / STATE_FILE, values)
            save_checkpoint(out / MODEL_FILE, best, training)
        except OSError as error:
            raise InputError(f"{out}: can't be written ({error.strerror})") from None

    def restore(self, out: Path) -> None:
        """Go on where `out` stopped; the same prices and settings, or an `InputError` saying what differs."""
        path = out / STATE_FILE
        if not path.exists():
            raise InputError(f"{out}: holds no training to resume (no {STATE_FILE}); leave --resume out")
        values = load_tensors(path)
        if values.get("format") != FORMAT:
            raise InputError(f"{path}: not the state of a training")
        try:
            self._take(values, path)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError):
            raise InputError(f"{path}: damaged; start again in another --out") from None

    def _take(self, values: dict[str, Any], path: Path) -> None:
        wanted, stored = self.network.config.as_dict(), values["config"]
        for key in wanted:
            if key not in MAY_CHANGE and wanted[key] != stored[key]:
                raise InputError(
                    f"{path}: was trained with {key} = {stored[key]}, not {wanted[key]}; resume with the same"
                )
        if values["account"] != self.account:
            raise InputError(f"{path}: was trained on other prices; resume with the same")
        groups = self.optimizer.state_dict()["param_groups"]
        self.network.load_state_dict(values["network"])
        self.averaged.load_state_dict(values["averaged"])
        self.optimizer.load_state_dict(values["optimizer"])
        if self.optimizer.state_dict()["param_groups"] != groups:
            raise ValueError("another optimizer")
        epochs, losses = zip(*((line["epoch"], line["validation_loss"]) for line in values["history"]), strict=True)
        moved = len(values["optimizer"]["state"]) > 0
        if list(epochs) != list(range(len(epochs))) or not all(map(math.isfinite, losses)) or moved != (epochs[-1] > 0):
            raise ValueError("another history")
        Network(self.network.config).load_state_dict(values["best"])
        self.best, self.history = values["best"], values["history"]


def refuse_to_overwrite(out: Path) -> None:
    """A folder with a training in it is not silently replaced."""
    if (out / STATE_FILE).exists():
        raise InputError(f"{out}: already holds a training; continue it with --resume, or choose another --out")
