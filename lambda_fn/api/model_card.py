"""Describe the served model: `GET /health`, `GET /model` and `GET /openapi.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from lambda_fn.api.problem_details import printable
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.limits import HIGHEST_PRICE, LOWEST_PRICE, MOST_PRICES, MOST_SERIES

OPENAPI = Path(__file__).with_name("openapi.json")


class State(msgspec.Struct):
    """`GET /health`."""

    status: str
    model_version: str
    model_digest: str
    verdict: str


class Limits(msgspec.Struct):
    """Bounds of one request."""

    window: int
    horizon: int
    levels: list[float]
    calendars: list[str]
    lowest_price: float
    highest_price: float
    most_prices: int
    most_series: int


class Card(msgspec.Struct):
    """`GET /model`: the model's origin, the proof that it is served as trained, and its evaluation."""

    name: str
    model_version: str
    model_digest: str
    verdict: str
    limits: Limits
    manifest: dict[str, Any]  # manifest.json, whole
    parity: dict[str, Any]  # parity.json without its cases
    evaluation: dict[str, Any] | None  # evaluation.json, where the model has been evaluated


def state(forecaster: Forecaster) -> State:
    """Return the state: verified and warm, or this process would not run."""
    return State("ok", forecaster.manifest.model_version, forecaster.model_digest, forecaster.verdict)


def read(folder: Path, forecaster: Forecaster) -> Card:
    """Read the card of the model served from `folder`."""
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


def openapi(forecaster: Forecaster, base_path: str) -> dict[str, Any]:
    """Adapt the OpenAPI document that `infra/openapi.py` wrote to this model and to where the API is mounted.

    The examples are those of the model that it was written for: another one is described without them.
    """
    document: dict[str, Any] = msgspec.json.decode(OPENAPI.read_bytes())
    document["servers"] = [{"url": printable(base_path) or "/"}]
    if document["info"]["x-model-digest"] != forecaster.model_digest:
        _drop_examples(document)
        document["info"]["x-model-digest"] = forecaster.model_digest
    document["components"]["schemas"].update(limit_schemas(forecaster))
    return document


def limit_schemas(forecaster: Forecaster) -> dict[str, Any]:
    """Build the JSON schemas that differ between models."""
    limits, horizon = forecaster.limits, forecaster.manifest.horizon
    levels: dict[str, Any] = {"enum": list(limits.levels)} if limits.levels else {"not": {}}
    return {
        "Closes": {
            "description": f"Closing prices, oldest first; the model reads the last {limits.window}.",
            "type": "array",
            "items": {"$ref": "#/components/schemas/Price"},
            "minItems": limits.window,
            "maxItems": MOST_PRICES,
        },
        "Window": {
            "description": "One window of closing prices, oldest first.",
            "type": "array",
            "items": {"$ref": "#/components/schemas/Price"},
            "minItems": limits.window,
            "maxItems": limits.window,
        },
        "Horizon": {"description": "Steps ahead.", "type": "integer", "minimum": 1, "maximum": horizon},
        "Level": {"description": "An interval's level in percent.", **levels},
        "Calendar": {"description": "Whose sessions follow the last close.", "enum": list(limits.calendars)},
        "Shape": {
            "description": "Windows, and closes in each.",
            "type": "array",
            "prefixItems": [{"type": "integer", "minimum": 1, "maximum": MOST_SERIES}, {"const": limits.window}],
            "items": False,
            "minItems": 2,
        },
    }


def _drop_examples(part: Any) -> None:
    if isinstance(part, dict):
        part.pop("examples", None)
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _drop_examples(inner)
