"""Finds every fault of a body that is no valid request, and says where (a JSON pointer) and what. Off the hot path."""

from __future__ import annotations

import datetime
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


def explain(body: bytes, limits: Limits, reason: str) -> tuple[dict[str, Any], dict[int, Refusal]]:
    """The body as JSON and why single series of it are refused, where that is all that is wrong; else `Refusal`."""
    found = _json_of(body, reason)
    faults = list(islice(_faults(found, limits, FIELDS), MOST_COUNTED))
    if faults:
        raise invalid(faults)
    refused = {}
    for position, series in enumerate(found.get("series") or ()):
        prices, place = series.get("prices"), f"/series/{position}/prices"
        if wrong := list(islice(_price_faults(prices, "prices" in series, limits, place), MOST_FAULTS)):
            refused[position] = _series_refusal(prices, wrong, limits)
    if not refused:  # msgspec saw something that this file does not know
        raise invalid([Fault("", reason)])
    return found, refused


def explain_single(body: bytes, limits: Limits, reason: str) -> Refusal:
    """Why the body of a `POST /explain` can't be answered. Raises `Refusal` (400) where it is not JSON."""
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
    """JSON as Python reads it: with the NaN and Infinity that some clients write, so that they can be pointed at.

    Raises `ValueError` or `RecursionError`.
    """
    import json

    return json.loads(text.decode(), parse_int=_whole)


def _whole(digits: str) -> float:
    """A number without a fraction; Python refuses to make an int of thousands of digits, and need not here."""
    return int(digits) if len(digits) < 20 else float(digits)


def misfits(
    limits: Limits,
    horizon: Any,
    levels: Sequence[Any] | None,
    calendar: Any,
    is_dated: bool,
) -> list[Fault]:
    """What well-formed options ask that this model can't do."""
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
    """The fault of a list of prices that is too short or too long."""
    if window <= count <= MOST_PRICES:
        return []
    return [Fault(pointer, f"must hold {window} to {MOST_PRICES} numbers, holds {count}")]


def _faults(found: Any, limits: Limits, fields: tuple[str, ...]) -> Iterator[Fault]:
    """Everything wrong with a request of these fields but the prices of single series."""
    if not isinstance(found, dict):
        yield Fault("", 'must be an object such as {"prices": […]}')
        return
    for key in found:
        if key not in fields:
            yield Fault(_pointer("", key), f"unknown field; known are {', '.join(fields)}")
    found = {key: value for key, value in found.items() if key in fields}
    prices, series = found.get("prices"), found.get("series")
    if prices is not None and series is not None:
        yield Fault("/series", "can't stand beside /prices: one series or several")
    elif series is not None:
        yield from _series_faults(series)
    else:
        yield from _price_faults(prices, "prices" in found, limits, "/prices")
    if found.get("detail") not in (None, *DETAILS):
        yield Fault("/detail", f"must be one of {', '.join(DETAILS)}")
    horizon, levels, last_date = found.get("horizon"), found.get("levels"), found.get("last_date")
    if horizon is not None and not _is_number(horizon):
        horizon = 0  # no horizon of any model: `misfits` names it
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
    yield from misfits(limits, horizon, levels, found.get("calendar"), last_date is not None)


def _series_faults(series: Any) -> Iterator[Fault]:
    if not isinstance(series, list) or not 1 <= len(series) <= MOST_SERIES:
        holds = f", holds {len(series)}" if isinstance(series, list) else ""
        yield Fault("/series", f'must be a list of 1 to {MOST_SERIES} objects such as {{"id": "PETR4", …}}{holds}')
        return
    seen: dict[str, int] = {}
    for position, one in enumerate(series):
        place = f"/series/{position}"
        if not isinstance(one, dict):
            yield Fault(place, 'must be an object with "id" and "prices"')
            continue
        for key in one:
            if key not in ("id", "prices"):
                yield Fault(_pointer(place, key), "unknown field; known are id, prices")
        name = one.get("id")
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
    """One series of many, refused for these faults, the first ones of it."""
    if not isinstance(prices, list) or not limits.window <= len(prices) <= MOST_PRICES:
        return invalid(first, reason=HISTORY)
    return invalid(first, sum(not is_price(price) for price in prices), BAD_PRICE)


def _level_wanted(limits: Limits) -> str:
    listed = ", ".join(f"{level:g}" for level in sorted(limits.levels)) or "none"
    return f"must be one of this model's interval levels: {listed}"


def _calendar_wanted(limits: Limits) -> str:
    return f"must be one of {', '.join(limits.calendars)}"


def is_price(value: Any) -> bool:
    """Whether a JSON value is a price that a model takes."""
    return _is_number(value) and LOWEST_PRICE <= value <= HIGHEST_PRICE


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _pointer(place: str, key: str) -> str:
    """A JSON pointer to a member (RFC 6901), shortened: a key is the client's and can be of any length."""
    escaped = printable(key[:60]).replace("~", "~0").replace("/", "~1")
    return f"{place}/{escaped}"
