"""`POST /predict` as FastAPI and Mangum are usually put on Lambda; the two peers differ in what runs the network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel, ConfigDict, Field

MODELS = Path(os.environ.get("EFEMERA_MODELS") or Path(__file__).parent.parent.parent.parent / "models")
Quantiles = Callable[[list[float]], list[list[float]]]  # a window of closes → (horizon, quantiles) prices
Price = Annotated[float, Field(ge=1e-9, le=1e12)]


class Request(BaseModel):
    """One series of closes, oldest first."""

    model_config = ConfigDict(extra="forbid")
    prices: Annotated[list[Price], Field(min_length=60, max_length=5000)]


class Step(BaseModel):
    """One session ahead."""

    step: int
    median: float
    intervals: dict[str, list[float]]


class Forecast(BaseModel):
    """The fields of Efemera's answer."""

    predicted_price: float
    last_price: float
    naive_price: float
    steps: list[Step]
    warnings: list[str]
    verdict: str
    model_version: str
    model_digest: str


def handler_of(quantiles: Quantiles) -> Mangum:
    """The Lambda handler of an API that answers with these quantiles; warm from the start."""
    manifest = json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))
    window, levels = manifest["window"], manifest["quantiles"]
    version, digest = manifest["model_version"], manifest["files"]["model.onnx"][:12]
    half = len(levels) // 2
    bounds = [(f"{(1 - 2 * levels[low]) * 100:g}", low, len(levels) - 1 - low) for low in range(half)]
    evaluation = MODELS / "evaluation.json"
    verdict = json.loads(evaluation.read_text(encoding="utf-8"))["verdict"] if evaluation.exists() else "unevaluated"
    app = FastAPI(openapi_url=None)

    # A coroutine: a plain function would be sent to a thread, which costs more than all the rest.
    @app.post("/predict")
    async def predict(request: Request) -> Forecast:
        closes = request.prices[-window:]
        steps = [
            Step(step=step, median=row[half], intervals={name: [row[low], row[high]] for name, low, high in bounds})
            for step, row in enumerate(quantiles(closes), start=1)
        ]
        return Forecast(
            predicted_price=steps[0].median,
            last_price=closes[-1],
            naive_price=closes[-1],
            steps=steps,
            warnings=["constant"] if len(set(closes)) == 1 else [],
            verdict=verdict,
            model_version=version,
            model_digest=digest,
        )

    quantiles([40.0 + day % 7 for day in range(window)])
    return Mangum(app, lifespan="off")
