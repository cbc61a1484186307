"""Which elements of an inference request's tensor are no prices. Off the hot path."""

from __future__ import annotations

import json
from typing import Any

from lambda_fn.faults import NOT_A_PRICE, is_price
from lambda_fn.refusal import MOST_COUNTED, Fault, Refusal, invalid


def no_json(body: bytes, reason: str) -> Refusal:
    """Why a body can't be decoded: Python's own reader knows NaN and Infinity, so that they can be pointed at."""
    try:
        faults = element_faults(read_json(body)["inputs"][0]["data"])
    except (LookupError, TypeError):
        faults = []
    return invalid(faults) if faults else Refusal(400, f"the body is not JSON: {reason}")


def read_json(text: bytes) -> Any:
    """JSON as Python reads it, or None."""
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError):
        return None


def element_faults(data: Any) -> list[Fault]:
    """The elements of a flat or nested list that are no prices, the first ones of many."""
    place = "/inputs/0/data"
    found: list[Fault] = []
    rows = data if isinstance(data, list) else []
    nested = bool(rows) and isinstance(rows[0], list)
    for i, row in enumerate(rows):
        if nested and isinstance(row, list):
            found += [Fault(f"{place}/{i}/{j}", NOT_A_PRICE) for j, price in enumerate(row) if not is_price(price)]
        elif nested or not is_price(row):
            found.append(Fault(f"{place}/{i}", "must be a list of prices" if nested else NOT_A_PRICE))
        if len(found) >= MOST_COUNTED:
            break
    return found[:MOST_COUNTED]
