"""Which elements of an inference request's tensor are no prices. Off the hot path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from lambda_fn.api.problem_details import MOST_COUNTED, Fault, Refusal, invalid
from lambda_fn.api.request_faults import NOT_A_PRICE, is_price, read_json


def no_json(body: bytes, reason: str) -> Refusal:
    """Why a body can't be decoded: Python's own reader knows NaN and Infinity, so that they can be pointed at."""
    try:
        faults = element_faults(lenient(body)["inputs"][0]["data"])
    except (LookupError, TypeError):
        faults = []
    return invalid(faults) if faults else Refusal(400, f"the body is not JSON: {reason}")


def type_fault(message: str) -> Fault:
    """What msgspec says of a body's types, as a fault: its `$.inputs[0].name` is the pointer /inputs/0/name."""
    what, _, path = message.partition(" - at `$")
    pointer = path.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/")
    return Fault(pointer if re.fullmatch(r"[/\w]*", pointer) else "", what)


def lenient(text: bytes) -> Any:
    """JSON as Python reads it, or None."""
    try:
        return read_json(text)
    except (ValueError, RecursionError):
        return None


def element_faults(data: Any) -> list[Fault]:
    """The elements of a flat or nested list that are no prices, the first ones of many."""
    return list(islice(_element_faults(data if isinstance(data, list) else []), MOST_COUNTED))


def _element_faults(rows: list[Any]) -> Iterator[Fault]:
    place = "/inputs/0/data"
    nested = bool(rows) and isinstance(rows[0], list)
    for i, row in enumerate(rows):
        if nested and isinstance(row, list):
            for j, price in enumerate(row):
                if not is_price(price):
                    yield Fault(f"{place}/{i}/{j}", NOT_A_PRICE)
        elif nested or not is_price(row):
            yield Fault(f"{place}/{i}", "must be a list of prices" if nested else NOT_A_PRICE)
