"""Checkpoint and training state on disk: `model_lstm.pth`, the best network, and the state to resume from.

Files are read with `weights_only=True`: nothing in them is ever run.
"""

from __future__ import annotations

import dataclasses
import math
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import torch
from torch import Tensor

from export.errors import InputError
from export.schemas import read_schema
from export.training.config import make_config
from export.training.network import Network
from export.training.scaling import FOREIGN_SCALINGS

MODEL_FILE = "model_lstm.pth"
STATE_FILE = "training_state.pth"
CHECKPOINT_FORMAT = "efemera-checkpoint-1"
STATE_FORMAT = "efemera-training-2"
MAY_CHANGE = {"epochs", "patience"}  # settings a resumed training may change


@dataclasses.dataclass
class TrainingState:
    """Everything the next epoch depends on, and nothing else, so that a resumed run is the same run."""

    network: Network
    averaged: Network
    optimizer: torch.optim.Optimizer
    account: dict[str, Any]  # the training data and its split
    best: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)  # epoch, train_loss, validation_loss

    @property
    def epoch(self) -> int:
        """Return the last finished epoch; 0 is the untrained network."""
        return int(self.history[-1]["epoch"])

    @property
    def best_epoch(self) -> int:
        """Return the first epoch with the lowest validation loss."""
        return int(min(self.history, key=lambda line: line["validation_loss"])["epoch"])

    @torch.no_grad()
    def average(self) -> None:
        """Update the running average with the weights of a step."""
        averages: list[Tensor] = list(self.averaged.parameters())
        torch._foreach_lerp_(averages, list[Tensor](self.network.parameters()), 1.0 - self.network.config.averaging)

    def finish_epoch(self, epoch: int, train_loss: float, validation_loss: float) -> None:
        """Append the epoch to the history, and keep the averaged weights if they are the best so far."""
        if not math.isfinite(validation_loss):
            raise InputError(
                f"training diverged in epoch {epoch}: validation loss {validation_loss}; lower learning_rate"
            )
        self.history.append({"epoch": epoch, "train_loss": train_loss, "validation_loss": validation_loss})
        if self.best_epoch == epoch:
            self.best = {name: tensor.detach().clone() for name, tensor in self.averaged.state_dict().items()}

    def save(self, out: Path) -> None:
        """Write the state to resume from, then the best network so far; each file is whole at any moment."""
        values = {
            "format": STATE_FORMAT,
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
        """Load the state that `out` holds; `InputError` where prices or settings differ from it."""
        path = out / STATE_FILE
        if not path.exists():
            raise InputError(f"{out}: holds no training to resume (no {STATE_FILE}); leave --resume out")
        values = load_tensors(path)
        if values.get("format") != STATE_FORMAT:
            raise InputError(f"{path}: not the state of a training")
        try:
            self._load(values, path)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError):
            raise InputError(f"{path}: damaged; start again in another --out") from None

    def _load(self, values: dict[str, Any], path: Path) -> None:
        config, stored = self.network.config.as_dict(), values["config"]
        for key in config:
            if key not in MAY_CHANGE and config[key] != stored[key]:
                raise InputError(
                    f"{path}: was trained with {key} = {stored[key]}, not {config[key]}; resume with the same"
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
    """Raise `InputError` when the folder already holds a training."""
    if (out / STATE_FILE).exists():
        raise InputError(f"{out}: already holds a training; continue it with --resume, or choose another --out")


def save_checkpoint(path: Path, network: Network, training: dict[str, Any]) -> None:
    """Write weights, configuration and training record, renamed into place whole."""
    values = {
        "format": CHECKPOINT_FORMAT,
        "config": network.config.as_dict(),
        "state_dict": {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()},
        "training": training,
    }
    save_whole(path, values)


def save_whole(path: Path, values: dict[str, Any]) -> None:
    """Write by `torch.save` to a temporary neighbour, flush and rename: a kill leaves the old file or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            torch.save(values, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> tuple[Network, dict[str, Any]]:
    """Read an Efemera checkpoint: the network and its training record. Raises `InputError` naming the file."""
    values = load_tensors(path)
    if values.get("format") != CHECKPOINT_FORMAT:
        raise InputError(
            f"{path}: not an Efemera checkpoint; for a plain state dict say how prices were scaled, "
            f"with --scaling {FOREIGN_SCALINGS}"
        )
    for part in ("config", "state_dict", "training"):
        if not isinstance(values.get(part), dict):
            raise InputError(f"{path}: its part '{part}' is missing")
    network = Network(make_config(values["config"], str(path)))
    load_weights(network, values["state_dict"], path)
    _check_training_data(values["training"], path)
    return network, values["training"]


def _check_training_data(training: dict[str, Any], path: Path) -> None:
    """Check the recorded training data against the manifest's schema, since an export copies it there."""
    schema = read_schema("manifest")
    part = {**schema["properties"]["training_data"], "$defs": schema["$defs"]}
    try:
        jsonschema.validate(training.get("data"), part)
        np.datetime64((training.get("data") or {}).get("last_date", "2000-01-01"))
    except (jsonschema.ValidationError, ValueError):
        raise InputError(f"{path}: what it says of its training data can't be right") from None


def load_tensors(path: Path) -> dict[str, Any]:
    """Load a dict of tensors and plain values by `torch.load(weights_only=True)`. Raises `InputError`."""
    try:
        with warnings.catch_warnings(action="ignore"):  # its remarks on old pickles; what matters is raised
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except pickle.UnpicklingError as error:
        if "GLOBAL" not in str(error):  # torch's word for a name that it would have to import
            raise InputError(f"{path}: not a PyTorch checkpoint") from None
        raise InputError(
            f"{path}: not a plain state dict; loading it would run code from the file. "
            "Save it with torch.save(model.state_dict(), path)"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, IndexError, AttributeError) as error:
        why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        raise InputError(f"{path}: not a PyTorch checkpoint{why}") from None
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: holds a {type(loaded).__name__}, not a state dict")
    return dict(loaded)


def load_weights(network: Network, state: dict[str, Any], path: Path) -> None:
    """Copy a state dict into the network; raises `InputError` naming the first tensor that does not fit."""
    expected = network.state_dict()
    for key, parameter in expected.items():
        if key not in state:
            raise InputError(f"{path}: key '{key}' is missing")
        if not is_dense(state[key]):
            raise InputError(f"{path}: {key} is no dense tensor")
        if state[key].shape != parameter.shape:
            raise InputError(f"{path}: {key} has shape {tuple(state[key].shape)}, expected {tuple(parameter.shape)}")
        if state[key].dtype != torch.float32:
            raise InputError(f"{path}: {key} is {state[key].dtype}, expected torch.float32; save model.float()")
        if not torch.isfinite(state[key]).all():
            raise InputError(f"{path}: {key} holds a value that is not finite")
    if extra := sorted({str(key) for key in state} - set(expected)):
        raise InputError(f"{path}: key '{extra[0]}' does not belong to a {network.config.cell} of this size")
    network.load_state_dict(state)


def is_dense(value: Any) -> bool:
    """Return whether `value` is a dense tensor."""
    return isinstance(value, Tensor) and value.layout == torch.strided
