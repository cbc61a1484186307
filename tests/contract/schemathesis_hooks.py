"""Mend requests that schemathesis means to be valid in what JSON Schema can't say.

Three things: the ids of one request differ, no output is asked for twice, and a tensor holds as many numbers as its
shape says. Loaded by the command of `test_openapi.py` (SCHEMATHESIS_HOOKS); requests meant to be invalid are sent as
they are.
"""

from __future__ import annotations

from typing import Any

import schemathesis

WINDOW = 60


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case, _arguments: dict[str, Any]) -> None:
    """Mend a valid request before it is sent."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    for position, series in enumerate(case.body.get("series") or ()):
        series["id"] = f"{position} {series['id']}"[:200]
    if case.body.get("outputs"):
        case.body["outputs"] = list({output["name"]: output for output in case.body["outputs"]}.values())
    for tensor in case.body.get("inputs") or ():
        nested = bool(tensor["data"]) and isinstance(tensor["data"][0], list)
        prices = [price for row in tensor["data"] for price in row] if nested else tensor["data"]
        rows = max(1, len(prices) // WINDOW)
        prices = (prices + [40.0] * WINDOW)[: rows * WINDOW]
        tensor["shape"] = [rows, WINDOW]
        tensor["data"] = [prices[i : i + WINDOW] for i in range(0, len(prices), WINDOW)] if nested else prices
