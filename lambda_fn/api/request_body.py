"""Decode and validate the bodies of `POST /predict` and `POST /explain`; `request_faults.py` finds what is wrong."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import msgspec

from lambda_fn.api.problem_details import Refusal, invalid
from lambda_fn.api.request_faults import (
    HISTORY,
    explain_body_refusal,
    find_refused_series,
    length_faults,
    option_faults,
)
from lambda_fn.model.limits import (
    HIGHEST_PRICE,
    LONGEST_ID,
    LOWEST_PRICE,
    MOST_LEVELS,
    MOST_PRICES,
    MOST_SERIES,
    Limits,
)

Price = Annotated[float, msgspec.Meta(ge=LOWEST_PRICE, le=HIGHEST_PRICE)]


class Series(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One series of many, under a name of the client's."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID)]
    prices: list[Price]  # closes, oldest first; the model reads the last `window`


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One series of closes (`prices`) or several (`series`), and what is asked of each."""

    prices: list[Price] | None = None
    series: Annotated[list[Series], msgspec.Meta(min_length=1, max_length=MOST_SERIES)] | None = None
    horizon: float | None = None  # a whole number; JSON can write 2 as 2.0
    levels: Annotated[list[float], msgspec.Meta(max_length=MOST_LEVELS)] | None = None
    last_date: datetime.date | None = None  # the day of the last close: steps are then dated
    calendar: str | None = None  # whose sessions follow it; weekdays unless named


class ExplainRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The closes of one series whose forecast is to be explained."""

    prices: list[Price]  # closes, oldest first; the model reads the last `window`
    last_date: datetime.date | None = None  # the day of the last close: the days are then dated, back from it
    calendar: str | None = None  # whose sessions they are; weekdays unless named
    detail: Literal["days", "full"] | None = None  # full: every gate of every unit as well; `days` unless asked for


Refused = dict[int, Refusal]  # position in `series` → why this one is not answered

_decode_predict = msgspec.json.Decoder(PredictRequest).decode
_decode_explain = msgspec.json.Decoder(ExplainRequest).decode


def decode_predict_request(body: bytes, limits: Limits) -> tuple[PredictRequest, Refused]:
    """Decode a request that a model of these limits can answer, and the refusals of single series of it.

    Raises `Refusal` with every fault found, not the first alone. A series with bad prices is no reason to refuse
    the others.
    """
    try:
        request = _decode_predict(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        request, refused = _without_refused(body, limits, str(error))
    else:
        refused = {}
    if (request.prices is None) == (request.series is None):
        find_refused_series(body, limits, "")
    faults = option_faults(limits, request.horizon, request.levels, request.calendar, request.last_date is not None)
    if request.prices is not None:
        faults = length_faults(len(request.prices), limits.window, "/prices") + faults
    for position, series in enumerate(request.series or ()):
        if position not in refused and not limits.window <= len(series.prices) <= MOST_PRICES:
            place = f"/series/{position}/prices"
            refused[position] = invalid(length_faults(len(series.prices), limits.window, place), reason=HISTORY)
    if request.series and len({series.id for series in request.series}) < len(request.series):
        find_refused_series(body, limits, "")
    if faults:
        raise invalid(faults)
    return request, refused


def decode_explain_request(body: bytes, limits: Limits) -> ExplainRequest:
    """Decode a request that a model of these limits can answer. Raises `Refusal` with every fault found."""
    try:
        request = _decode_explain(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise explain_body_refusal(body, limits, str(error)) from None
    faults = length_faults(len(request.prices), limits.window, "/prices")
    faults += option_faults(limits, None, None, request.calendar, request.last_date is not None)
    if faults:
        raise invalid(faults)
    return request


def _without_refused(body: bytes, limits: Limits, reason: str) -> tuple[PredictRequest, Refused]:
    """Decode a rejected body without the prices of its refused series, or raise `Refusal`. Slow."""
    request, refused = find_refused_series(body, limits, reason)
    for position in refused:
        request["series"][position] = {"id": request["series"][position]["id"], "prices": []}
    return msgspec.convert(request, PredictRequest), refused
