"""Find every fault of a body that is no valid request: where (a JSON pointer) and what."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from lambda_fn.api.problem_details import MOST_COUNTED, MOST_FAULTS, Fault, Refusal, invalid, printable
from lambda_fn.model.limits import (
    HIGHEST_PRICE,
    LONGEST_ID,
    LOWEST_PRICE,
    MOST_LEVELS,
    MOST_PRICES,
    MOST_SERIES,
    Limits,
)

NOT_A_PRICE = "must be a number between 1e-9 and 1e12"

HISTORY, BAD_PRICE = "series-history", "series-price"  # why a series is refused, in a log line

FIELDS = ("prices", "series", "horizon", "levels", "last_date", "calendar")
EXPLAIN_FIELDS = ("prices", "last_date", "calendar", "detail")
DETAILS = ("days", "full")


def find_refused_series(body: bytes, limits: Limits, reason: str) -> tuple[dict[str, Any], dict[int, Refusal]]:
    """Return a rejected body of `POST /predict` as JSON, and its refused series by position.

    Raises `Refusal` where anything else is wrong with it; `reason` is the decoder's.
    """
    request = _json_of(body, reason)
    faults = list(islice(_faults(request, limits, FIELDS), MOST_COUNTED))
    if faults:
        raise invalid(faults)
    refused = {}
    for position, series in enumerate(request.get("series") or ()):
        prices, place = series.get("prices"), f"/series/{position}/prices"
        if faults := list(islice(_price_faults(prices, "prices" in series, limits, place), MOST_FAULTS)):
            refused[position] = _series_refusal(prices, faults, limits)
    if not refused:  # msgspec saw something that this file does not know
        raise invalid([Fault("", reason)])
    return request, refused


def explain_body_refusal(body: bytes, limits: Limits, reason: str) -> Refusal:
    """Return the refusal of a rejected body of `POST /explain`. Raises `Refusal` (400) where it is not JSON."""
    faults = list(islice(_faults(_json_of(body, reason), limits, EXPLAIN_FIELDS), MOST_COUNTED))
    return invalid(faults or [Fault("", reason)])


def _json_of(body: bytes, reason: str) -> Any:
    try:
        return read_json(body)
    except RecursionError:
        raise Refusal(400, "the body is not JSON that can be read: nested too deeply") from None
    except ValueError:
        raise Refusal(400, f"the body is not JSON: {reason}") from None


def read_json(text: bytes) -> Any:
    """Decode JSON as Python does: with the NaN and Infinity that some clients write, so that they can be pointed at.

    Raises `ValueError` or `RecursionError`.
    """
    import json

    return json.loads(text.decode(), parse_int=_whole)


def _whole(digits: str) -> float:
    """Read a number without a fraction; Python refuses to make an int of thousands of digits, and need not here."""
    return int(digits) if len(digits) < 20 else float(digits)


def option_faults(
    limits: Limits,
    horizon: Any,
    levels: Sequence[Any] | None,
    calendar: Any,
    is_dated: bool,
) -> list[Fault]:
    """Find the well-formed options that this model can't serve."""
    faults = []
    if horizon is not None and horizon not in range(1, limits.horizon + 1):  # 5.0 is a whole number in JSON
        faults.append(Fault("/horizon", f"must be a whole number from 1 to {limits.horizon}"))
    for index, level in enumerate(levels or []):
        if level not in limits.levels:
            faults.append(Fault(f"/levels/{index}", _level_wanted(limits)))
    if calendar is not None and calendar not in limits.calendars:
        faults.append(Fault("/calendar", _calendar_wanted(limits)))
    elif calendar is not None and not is_dated:
        faults.append(Fault("/calendar", "needs /last_date beside it, the day of the last close"))
    return faults


def length_faults(count: int, window: int, pointer: str) -> list[Fault]:
    """Find the fault of a list of prices that is too short or too long."""
    if window <= count <= MOST_PRICES:
        return []
    return [Fault(pointer, f"must hold {window} to {MOST_PRICES} numbers, holds {count}")]


def _faults(request: Any, limits: Limits, fields: tuple[str, ...]) -> Iterator[Fault]:
    """Find every fault of a request of these fields but the prices of single series."""
    if not isinstance(request, dict):
        yield Fault("", 'must be an object such as {"prices": […]}')
        return
    for key in request:
        if key not in fields:
            yield Fault(_pointer("", key), f"unknown field; known are {', '.join(fields)}")
    request = {key: value for key, value in request.items() if key in fields}
    prices, series = request.get("prices"), request.get("series")
    if prices is not None and series is not None:
        yield Fault("/series", "can't stand beside /prices: one series or several")
    elif series is not None:
        yield from _series_faults(series)
    else:
        yield from _price_faults(prices, "prices" in request, limits, "/prices")
    if request.get("detail") not in (None, *DETAILS):
        yield Fault("/detail", f"must be one of {', '.join(DETAILS)}")
    horizon, levels, last_date = request.get("horizon"), request.get("levels"), request.get("last_date")
    if horizon is not None and not _is_number(horizon):
        horizon = 0  # no horizon of any model: `option_faults` names it
    if levels is not None and not isinstance(levels, list):
        yield Fault("/levels", f"must be a list; {_level_wanted(limits)}")
        levels = None
    elif levels is not None and len(levels) > MOST_LEVELS:
        yield Fault("/levels", f"must hold at most {MOST_LEVELS} numbers, holds {len(levels)}")
        levels = None
    else:
        levels = [level if _is_number(level) else None for level in levels or []]
    try:
        msgspec.convert(last_date, datetime.date | None)
    except (msgspec.ValidationError, UnicodeEncodeError):
        yield Fault("/last_date", "must be a calendar date (YYYY-MM-DD)")
    yield from option_faults(limits, horizon, levels, request.get("calendar"), last_date is not None)


def _series_faults(series: Any) -> Iterator[Fault]:
    if not isinstance(series, list) or not 1 <= len(series) <= MOST_SERIES:
        holds = f", holds {len(series)}" if isinstance(series, list) else ""
        yield Fault("/series", f'must be a list of 1 to {MOST_SERIES} objects such as {{"id": "PETR4", …}}{holds}')
        return
    seen: dict[str, int] = {}
    for position, item in enumerate(series):
        place = f"/series/{position}"
        if not isinstance(item, dict):
            yield Fault(place, 'must be an object with "id" and "prices"')
            continue
        for key in item:
            if key not in ("id", "prices"):
                yield Fault(_pointer(place, key), "unknown field; known are id, prices")
        name = item.get("id")
        if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_ID or printable(name) != name:
            yield Fault(f"{place}/id", f"must be text of 1 to {LONGEST_ID} characters")
        elif seen.setdefault(name, position) != position:
            yield Fault(f"{place}/id", f"is that of /series/{seen[name]} as well")


def _price_faults(prices: Any, is_there: bool, limits: Limits, place: str) -> Iterator[Fault]:
    if not is_there:
        yield Fault(place, "is required")
    elif not isinstance(prices, list):
        yield Fault(place, f"must be a list of {limits.window} to {MOST_PRICES} numbers")
    else:
        yield from length_faults(len(prices), limits.window, place)
        if len(prices) <= MOST_PRICES:
            for i, price in enumerate(prices):
                if not is_price(price):
                    yield Fault(f"{place}/{i}", NOT_A_PRICE)


def _series_refusal(prices: Any, first: list[Fault], limits: Limits) -> Refusal:
    """Refuse one series of many for these faults, the first ones of it."""
    if not isinstance(prices, list) or not limits.window <= len(prices) <= MOST_PRICES:
        return invalid(first, reason=HISTORY)
    return invalid(first, sum(not is_price(price) for price in prices), BAD_PRICE)


def inference_body_refusal(body: bytes, reason: str) -> Refusal:
    """Return the refusal of a body of an inference request that is no JSON; NaN and Infinity are pointed at."""
    try:
        faults = element_faults(json_or_none(body)["inputs"][0]["data"])
    except (LookupError, TypeError):
        faults = []
    return invalid(faults) if faults else Refusal(400, f"the body is not JSON: {reason}")


def type_fault(message: str) -> Fault:
    """Turn msgspec's message into a fault: its `$.inputs[0].name` is the pointer /inputs/0/name."""
    detail, _, path = message.partition(" - at `$")
    pointer = path.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/")
    return Fault(pointer if re.fullmatch(r"[/\w]*", pointer) else "", detail)


def json_or_none(text: bytes) -> Any:
    """Decode JSON as `read_json`; None where it can't be."""
    try:
        return read_json(text)
    except (ValueError, RecursionError):
        return None


def element_faults(data: Any) -> list[Fault]:
    """Find the elements of a flat or nested tensor that are no prices, the first ones of many."""
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


def _level_wanted(limits: Limits) -> str:
    listed = ", ".join(f"{level:g}" for level in sorted(limits.levels)) or "none"
    return f"must be one of this model's interval levels: {listed}"


def _calendar_wanted(limits: Limits) -> str:
    return f"must be one of {', '.join(limits.calendars)}"


def is_price(value: Any) -> bool:
    """Return whether a JSON value is a price that a model takes."""
    return _is_number(value) and LOWEST_PRICE <= value <= HIGHEST_PRICE


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _pointer(place: str, key: str) -> str:
    """Build a JSON pointer to a member (RFC 6901), shortened: a key is the client's and can be of any length."""
    escaped = printable(key[:60]).replace("~", "~0").replace("/", "~1")
    return f"{place}/{escaped}"
