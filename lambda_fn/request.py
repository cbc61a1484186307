"""The body of `POST /predict`: decoded and checked in one pass, and every fault named when that fails."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

LOWEST_PRICE, HIGHEST_PRICE = 1e-9, 1e12
MOST_PRICES = 5000
MOST_FAULTS = 20  # a body can be wrong in thousands of places; the first ones help
NOT_A_PRICE = "must be a number between 1e-9 and 1e12"

Price = Annotated[float, msgspec.Meta(ge=LOWEST_PRICE, le=HIGHEST_PRICE)]


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One series of closes, oldest first; the model reads the last `window` of them."""

    prices: list[Price]
    horizon: int | None = None
    levels: Annotated[list[float], msgspec.Meta(max_length=MOST_FAULTS)] | None = None


class Fault(msgspec.Struct):
    """One thing wrong with a body: where (a JSON pointer) and what."""

    pointer: str
    detail: str


class BadBody(Exception):
    """The body is no valid request; `status` is 400 where it is no JSON, 422 where it is wrong JSON."""

    def __init__(self, status: int, detail: str, faults: list[Fault]) -> None:
        super().__init__(detail)
        self.status, self.detail, self.faults = status, detail, faults


_decoder = msgspec.json.Decoder(PredictRequest)


def decode_request(body: bytes, window: int, horizon: int, levels: dict[float, Any]) -> PredictRequest:
    """The request, if a model of this `window`, `horizon` and these interval `levels` can answer it.

    Raises `BadBody` with every fault found, not the first alone.
    """
    try:
        request = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(body, window, horizon, levels, str(error)) from None
    faults = _misfits(request, window, horizon, levels)
    if faults:
        raise _wrong(faults)
    return request


def _misfits(request: PredictRequest, window: int, horizon: int, levels: dict[float, Any]) -> list[Fault]:
    """What a well-formed request asks that this model can't do."""
    faults = _length_faults(len(request.prices), window)
    if request.horizon is not None and not 1 <= request.horizon <= horizon:
        faults.append(Fault("/horizon", f"must be a whole number from 1 to {horizon}"))
    for index, level in enumerate(request.levels or []):
        if level not in levels:
            faults.append(Fault(f"/levels/{index}", _level_wanted(levels)))
    return faults


def _explain(body: bytes, window: int, horizon: int, levels: dict[float, Any], reason: str) -> BadBody:
    """Why `body` did not decode. Slow, and only reached by a bad request."""
    import json  # reads NaN and Infinity, which some clients write, so that they can be pointed at

    try:
        found = json.loads(body.decode())
    except RecursionError:
        return BadBody(400, "the body is not JSON that can be read: nested too deeply", [])
    except ValueError:
        return BadBody(400, f"the body is not JSON: {reason}", [])
    faults = list(_faults(found, window, horizon, levels))[:MOST_FAULTS]
    return _wrong(faults or [Fault("", reason)])


def _faults(found: Any, window: int, horizon: int, levels: dict[float, Any]) -> list[Fault]:
    if not isinstance(found, dict):
        return [Fault("", 'must be an object such as {"prices": […]}')]
    known = PredictRequest.__struct_fields__
    faults = [Fault(_pointer(key), f"unknown field; known are {', '.join(known)}") for key in found if key not in known]
    prices = found.get("prices")
    if "prices" not in found:
        faults.append(Fault("/prices", "is required"))
    elif not isinstance(prices, list):
        faults.append(Fault("/prices", f"must be a list of {window} to {MOST_PRICES} numbers"))
    else:
        faults += _length_faults(len(prices), window)
        faults += [Fault(f"/prices/{i}", NOT_A_PRICE) for i, price in enumerate(prices) if not _is_price(price)]
    steps = found.get("horizon")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= horizon):
        faults.append(Fault("/horizon", f"must be a whole number from 1 to {horizon}"))
    wanted = found.get("levels")
    if wanted is not None and not isinstance(wanted, list):
        faults.append(Fault("/levels", f"must be a list; {_level_wanted(levels)}"))
    elif wanted is not None and len(wanted) > MOST_FAULTS:
        faults.append(Fault("/levels", f"must hold at most {MOST_FAULTS} numbers, holds {len(wanted)}"))
    elif wanted is not None:
        numbers = [_is_number(level) and level in levels for level in wanted]
        faults += [Fault(f"/levels/{i}", _level_wanted(levels)) for i, fits in enumerate(numbers) if not fits]
    return faults


def _length_faults(count: int, window: int) -> list[Fault]:
    if window <= count <= MOST_PRICES:
        return []
    return [Fault("/prices", f"must hold {window} to {MOST_PRICES} numbers, holds {count}")]


def _level_wanted(levels: dict[float, Any]) -> str:
    listed = ", ".join(f"{level:g}" for level in sorted(levels)) or "none"
    return f"must be one of this model's interval levels: {listed}"


def _is_price(value: Any) -> bool:
    return _is_number(value) and LOWEST_PRICE <= value <= HIGHEST_PRICE


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _pointer(key: str) -> str:
    """A JSON pointer to a member (RFC 6901), shortened: a key is the client's and can be of any length."""
    escaped = printable(key[:60]).replace("~", "~0").replace("/", "~1")
    return f"/{escaped}"


def printable(text: str) -> str:
    """`text` as UTF-8 can carry it: JSON lets a client send half a surrogate pair, an answer can't hold one."""
    return text.encode("utf-8", "replace").decode()


def _wrong(faults: list[Fault]) -> BadBody:
    first = faults[0]
    where = f"{first.pointer} " if first.pointer else "the body "
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return BadBody(422, f"{where}{first.detail}{more}", faults)
