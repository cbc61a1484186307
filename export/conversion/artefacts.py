"""Write one set of artefacts: everything staged and flushed, then renamed into place, `manifest.json` last.

A kill before the first rename changes nothing; a kill between renames leaves files whose digests the manifest
denies, and every reader refuses such a set by name.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import InputError
from export.schemas import as_json, read_schema
from export.training.network import Network
from lambda_fn import MODELS

SCHEMA_VERSION = 1
LIBRARIES = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy")
DATA_FILES = ("model_lstm.pth", "model.onnx", "weights.npz", "golden.json", "parity.json")


def write_set(folder: Path, files: Mapping[str, bytes], manifest: dict[str, Any]) -> None:
    """Write `files` and their manifest into `folder` as one set; `manifest["files"]` is filled in here.

    `files` holds exactly the names of `DATA_FILES`. Raises `InputError` when the folder can't be written.
    """
    assert set(files) == set(DATA_FILES), sorted(files)
    manifest["files"] = {name: hashlib.sha256(files[name]).hexdigest() for name in DATA_FILES}
    staged = {**{name: files[name] for name in DATA_FILES}, "manifest.json": as_json("manifest", manifest)}
    staging = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
        for name, content in staged.items():
            _write_flushed(staging / name, content)
        if blocked := [name for name in staged if (folder / name).is_dir()]:
            raise InputError(f"{folder / blocked[0]}: is a folder where a file must go")
        for name in staged:  # manifest.json is the last one
            (staging / name).replace(folder / name)
        _flush(folder)
    except OSError as error:
        raise InputError(f"{folder}: can't be written ({error.strerror})") from None
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def weights_npz(network: Network) -> bytes:
    """Encode `weights.npz`: the weights under their PyTorch names, and the settings needed to compute with them."""
    config = network.config
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    settings = {
        name: np.array(getattr(config, name)) for name in ("cell", "head", "scaling", "window", "horizon", "layers")
    }
    with tempfile.TemporaryFile() as file:
        np.savez(file, **arrays, **settings, quantiles=np.array(config.quantiles))  # type: ignore[arg-type]
        file.seek(0)
        return file.read()


def manifest_of(
    network: Network, training: Mapping[str, Any], model_version: str | None, opset: int, digest: str
) -> dict[str, Any]:
    """Build the content of `manifest.json`, but for the digests of the files."""
    now = datetime.now(UTC)
    return {
        "schema_version": SCHEMA_VERSION,
        "model_version": model_version or f"{now:%Y.%m.%d}-{digest[:8]}",
        "created_at": now.isoformat(timespec="seconds"),
        "files": {},
        "opset": opset,
        **description_of(network, training),
        "libraries": library_versions(),
        "git_revision": _git_revision(),
    }


def description_of(network: Network, training: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the network as the manifest does: a function of the checkpoint."""
    config = network.config
    outputs = {"predicted_price": ["batch"], "quantiles": ["batch", config.horizon, len(config.quantiles)]}
    return {
        "inputs": [{"name": "prices", "dtype": "float64", "shape": ["batch", config.window]}],
        "outputs": [{"name": name, "dtype": "float64", "shape": shape} for name, shape in outputs.items()],
        "window": config.window,
        "horizon": config.horizon,
        "quantiles": list(config.quantiles),
        "cell": config.cell,
        "hidden_size": config.hidden_size,
        "layers": config.layers,
        "head": config.head,
        "scaling": config.scaling,
        "parameters": network.parameter_count(),
        "training_data": training.get("data"),
    }


def check_version(model_version: str | None) -> None:
    """Raise `InputError` unless a URL, a metric and a file can hold the name."""
    pattern = read_schema("manifest")["properties"]["model_version"]["pattern"]
    if model_version is not None and not re.fullmatch(pattern, model_version):
        raise InputError(f"--model-version {model_version!r}: takes up to 64 letters, digits and . _ + -")


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that write an artefact."""
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def _git_revision() -> str | None:
    """Return the checkout's commit, marked when files differ from it; None outside a checkout."""
    command = ["git", "--git-dir=.git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        described = subprocess.run(command, cwd=MODELS.parent, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None


def _write_flushed(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
