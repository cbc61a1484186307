"""`model_lstm.pth`: Efemera's own checkpoints, and plain state dicts that others trained. Never unpickles code."""

from __future__ import annotations

import os
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import torch
from torch import Tensor

from export.conversion.schemas import read_schema
from export.errors import InputError
from export.training.config import make_config
from export.training.network import Network

FORMAT = "efemera-checkpoint-1"
SCALINGS = "minmax:LOW,HIGH, standard:MEAN,STD, returns or none"
GATES = {4: "lstm", 3: "gru", 1: "rnn"}  # how many gates a cell stacks in its weights


def save_checkpoint(path: Path, network: Network, training: dict[str, Any]) -> None:
    """Weights, configuration and where they come from, renamed into place whole."""
    values = {
        "format": FORMAT,
        "config": network.config.as_dict(),
        "state_dict": {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()},
        "training": training,
    }
    save_whole(path, values)


def save_whole(path: Path, values: dict[str, Any]) -> None:
    """`torch.save` to a temporary neighbour, flushed to disk, then renamed: a kill leaves the old file or the new."""
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
    """An Efemera checkpoint: the network and what training recorded. Raises `InputError` naming the file."""
    values = load_tensors(path)
    if values.get("format") != FORMAT:
        raise InputError(
            f"{path}: not an Efemera checkpoint; for a plain state dict say how prices were scaled, "
            f"with --scaling {SCALINGS}"
        )
    for part in ("config", "state_dict", "training"):
        if not isinstance(values.get(part), dict):
            raise InputError(f"{path}: its part '{part}' is missing")
    network = Network(make_config(values["config"], str(path)))
    _load(network, values["state_dict"], path)
    _check_account(values["training"], path)
    return network, values["training"]


def read_state_dict(path: Path, scaling: str, window: int) -> Network:
    """The guide's network from a plain state dict with `lstm.*` and `linear.*`, as a script elsewhere saved it.

    Hidden size, layers and cell are read from the shapes. Raises `InputError` naming the file and the key.
    """
    if scaling.partition(":")[0] not in ("minmax", "standard", "returns", "none"):
        raise InputError(f"--scaling {scaling}: a network trained elsewhere takes {SCALINGS}")
    state = load_tensors(path)
    if state.get("format") == FORMAT:
        raise InputError(f"{path}: an Efemera checkpoint carries its own scaling; leave --scaling and --window out")
    shapes = {str(key): tuple(value.shape) for key, value in state.items() if _is_dense(value)}
    strange = [key for key in state if not re.fullmatch(r"(lstm|linear)\.\w+", str(key)) or key not in shapes]
    if strange or not shapes:
        listed = ", ".join(str(key) for key in strange[:4]) or "no key at all"
        raise InputError(f"{path}: a state dict with the keys lstm.* and linear.* is needed, found {listed}")
    for key in ("lstm.weight_ih_l0", "lstm.weight_hh_l0", "linear.weight", "linear.bias"):
        if key not in shapes:
            raise InputError(f"{path}: key '{key}' is missing")
    config = make_config(
        {
            "head": "guide",
            "scaling": scaling,
            "window": window,
            **_sizes(shapes, path),
        },
        str(path),
    )
    network = Network(config)
    _load(network, state, path)
    return network


def _check_account(training: dict[str, Any], path: Path) -> None:
    """What training recorded of its data goes into the manifest: it must fit there."""
    schema = read_schema("manifest")
    part = {**schema["properties"]["training_data"], "$defs": schema["$defs"]}
    try:
        jsonschema.validate(training.get("data"), part)
        np.datetime64((training.get("data") or {}).get("last_date", "2000-01-01"))
    except (jsonschema.ValidationError, ValueError):
        raise InputError(f"{path}: what it says of its training data can't be right") from None


def load_tensors(path: Path) -> dict[str, Any]:
    """What `torch.load(weights_only=True)` gives of a file that holds a dict. Raises `InputError`."""
    try:
        with warnings.catch_warnings(action="ignore"):  # its remarks on old pickles; what matters is raised
            found = torch.load(path, map_location="cpu", weights_only=True)
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
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds a {type(found).__name__}, not a state dict")
    return dict(found)


def _sizes(shapes: dict[str, tuple[int, ...]], path: Path) -> dict[str, Any]:
    """Cell, hidden size and layers, from the shapes of the recurrent weights."""
    rows, hidden_size = shapes["lstm.weight_hh_l0"] if len(shapes["lstm.weight_hh_l0"]) == 2 else (0, 1)
    gates = rows / max(hidden_size, 1)
    if gates not in GATES:
        raise InputError(
            f"{path}: lstm.weight_hh_l0 has shape {shapes['lstm.weight_hh_l0']}, which fits no cell: "
            "an LSTM has 4 × hidden rows, a GRU 3 ×, a simple RNN 1 ×"
        )
    if shapes["lstm.weight_ih_l0"] != (rows, 1):
        raise InputError(
            f"{path}: lstm.weight_ih_l0 has shape {shapes['lstm.weight_ih_l0']}, expected {(rows, 1)}: "
            "one input a day, the closing price"
        )
    layers = sum(bool(re.fullmatch(r"lstm\.weight_ih_l\d+", key)) for key in shapes)
    return {"cell": GATES[int(gates)], "hidden_size": hidden_size, "layers": layers}


def _load(network: Network, state: dict[str, Any], path: Path) -> None:
    """Copy the tensors in, after naming the first one that does not belong."""
    wanted = network.state_dict()
    for key in wanted:
        if key not in state:
            raise InputError(f"{path}: key '{key}' is missing")
        if not _is_dense(state[key]):
            raise InputError(f"{path}: {key} is no dense tensor")
        if tuple(state[key].shape) != tuple(wanted[key].shape):
            raise InputError(f"{path}: {key} has shape {tuple(state[key].shape)}, expected {tuple(wanted[key].shape)}")
        if state[key].dtype != torch.float32:
            raise InputError(f"{path}: {key} is {state[key].dtype}, expected torch.float32; save model.float()")
        if not torch.isfinite(state[key]).all():
            raise InputError(f"{path}: {key} holds a value that is not finite")
    if extra := sorted({str(key) for key in state} - set(wanted)):
        raise InputError(f"{path}: key '{extra[0]}' does not belong to a {network.config.cell} of this size")
    network.load_state_dict(state)


def _is_dense(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided
