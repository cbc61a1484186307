"""Build the requests that are timed: those of tests/events, with every header that API Gateway sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

EVENTS = Path(__file__).parent.parent / "events"


def event_of(name: str) -> dict[str, Any]:
    """Read one event of tests/events by its name."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


def prices_of(event: dict[str, Any]) -> list[float]:
    """Return the closes in the body of a `POST /predict` of one series."""
    prices: list[float] = json.loads(event["body"])["prices"]
    return prices


def several(count: int, window: int) -> tuple[dict[str, Any], list[list[float]]]:
    """Build a `POST /predict` of so many series, and the closes in it."""
    walks = (40 * np.exp(np.random.default_rng(1).normal(0, 0.02, (count, window)).cumsum(1))).round(4).tolist()
    series = [{"id": f"S{number}", "prices": walk} for number, walk in enumerate(walks)]
    return {**event_of("predict"), "body": json.dumps({"series": series})}, walks
