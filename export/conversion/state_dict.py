"""Read plain state dicts that others trained: the guide's network, its sizes from the shapes of the weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from export.errors import InputError
from export.training.checkpoint import CHECKPOINT_FORMAT, is_dense, load_tensors, load_weights
from export.training.config import make_config
from export.training.network import Network
from export.training.scaling import FOREIGN_SCALINGS

GATES = {4: "lstm", 3: "gru", 1: "rnn"}  # how many gates a cell stacks in its weights


def read_state_dict(path: Path, scaling: str, window: int) -> Network:
    """Read the guide's network from a plain state dict with `lstm.*` and `linear.*`, as a script elsewhere saved it.

    Hidden size, layers and cell are read from the shapes. Raises `InputError` naming the file and the key.
    """
    if scaling.partition(":")[0] not in ("minmax", "standard", "returns", "none"):
        raise InputError(f"--scaling {scaling}: a network trained elsewhere takes {FOREIGN_SCALINGS}")
    state = load_tensors(path)
    if state.get("format") == CHECKPOINT_FORMAT:
        raise InputError(f"{path}: an Efemera checkpoint carries its own scaling; leave --scaling and --window out")
    shapes = {str(key): tuple(value.shape) for key, value in state.items() if is_dense(value)}
    strange = [key for key in state if not re.fullmatch(r"(lstm|linear)\.\w+", str(key)) or key not in shapes]
    if strange or not shapes:
        listed = ", ".join(str(key) for key in strange[:4]) or "no key at all"
        raise InputError(f"{path}: a state dict with the keys lstm.* and linear.* is needed, found {listed}")
    for key in ("lstm.weight_ih_l0", "lstm.weight_hh_l0", "linear.weight", "linear.bias"):
        if key not in shapes:
            raise InputError(f"{path}: key '{key}' is missing")
    settings = {"head": "guide", "scaling": scaling, "window": window, **_sizes(shapes, path)}
    network = Network(make_config(settings, str(path)))
    load_weights(network, state, path)
    return network


def _sizes(shapes: dict[str, tuple[int, ...]], path: Path) -> dict[str, Any]:
    """Infer cell, hidden size and layers from the shapes of the recurrent weights."""
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
