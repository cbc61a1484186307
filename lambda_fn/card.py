"""What the API says of itself: which model is ready, the model card, the OpenAPI document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from lambda_fn.faults import HIGHEST_PRICE, LOWEST_PRICE, MOST_PRICES, MOST_SERIES
from lambda_fn.forecaster import Forecaster

OPENAPI = Path(__file__).with_name("openapi.json")


class State(msgspec.Struct):
    """`GET /health`."""

    status: str
    model_version: str
    model_digest: str
    verdict: str


class Limits(msgspec.Struct):
    """What one request may ask."""

    window: int
    horizon: int
    levels: list[float]
    calendars: list[str]
    lowest_price: float
    highest_price: float
    most_prices: int
    most_series: int


class Card(msgspec.Struct):
    """`GET /model`: where the model comes from, the proof that it is served as trained, how good it is."""

    name: str
    model_version: str
    model_digest: str
    verdict: str
    limits: Limits
    manifest: dict[str, Any]  # manifest.json, whole
    parity: dict[str, Any]  # parity.json without its cases
    evaluation: dict[str, Any] | None  # evaluation.json, where the model has been evaluated


def state(forecaster: Forecaster) -> State:
    """The model is verified and warm, or this process would not run."""
    return State("ok", forecaster.manifest.model_version, forecaster.model_digest, forecaster.verdict)


def read(folder: Path, forecaster: Forecaster) -> Card:
    """The card of the model served from `folder`."""
    limits = forecaster.limits
    evaluation = folder / "evaluation.json"
    parity = msgspec.json.decode((folder / "parity.json").read_bytes())
    return Card(
        "efemera",
        forecaster.manifest.model_version,
        forecaster.model_digest,
        forecaster.verdict,
        Limits(
            limits.window, limits.horizon, list(limits.levels), list(limits.calendars),
            LOWEST_PRICE, HIGHEST_PRICE, MOST_PRICES, MOST_SERIES,
        ),
        msgspec.json.decode((folder / "manifest.json").read_bytes()),
        {**parity, "cases": len(parity["cases"])},
        msgspec.json.decode(evaluation.read_bytes()) if forecaster.verdict != "unevaluated" else None,
    )  # fmt: skip


def openapi(forecaster: Forecaster) -> bytes:
    """The OpenAPI document."""
    return OPENAPI.read_bytes()
