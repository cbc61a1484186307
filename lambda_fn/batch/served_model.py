"""The model that this process serves: loaded and verified once, with its manifest and trading sessions."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from lambda_fn import MODELS
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.manifest import Manifest, read_manifest
from lambda_fn.model.sessions import Sessions


def serve_model(folder: Path) -> None:
    """Serve the model of another folder from now on, in this process and those it starts."""
    os.environ["EFEMERA_MODELS"] = str(folder)
    for cached in (manifest, forecaster, sessions):
        cached.cache_clear()


def models_folder() -> Path:
    """Return the folder of the served model: EFEMERA_MODELS, or the package's own."""
    return Path(os.environ.get("EFEMERA_MODELS") or MODELS)


@cache
def manifest() -> Manifest:
    """Return the served model's manifest, its files verified; raises `ModelRefused`."""
    return read_manifest(models_folder())


def model_digest() -> str:
    """Return the served model's digest as answers carry it: 12 hex digits."""
    return manifest().files["model.onnx"][:12]


@cache
def forecaster() -> Forecaster:
    """Return the served model, verified and warm; raises `ModelRefused`."""
    return Forecaster(models_folder())


@cache
def sessions() -> Sessions:
    """Return the trading sessions that come with the served model; raises `SessionsRefused`."""
    return Sessions(models_folder())
