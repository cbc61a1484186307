"""Judge requests by docs/api.md and the protocol, independently: shares nothing with the API."""

import datetime
import json
import re

LEVELS, CALENDARS = (50, 80, 95), ("BVMF", "XNYS", "24/7", "weekdays")


class Whole(float):
    """A number written without a point; one that no double can hold is infinite."""


def read(body, errors="strict"):
    """The body as JSON, or None. NaN and Infinity, which are not JSON, are numbers that are no prices."""
    try:
        return json.loads(body.decode(errors=errors), parse_int=Whole)
    except (ValueError, RecursionError):
        return None


def is_text(value):
    """Return whether UTF-8 can hold it, which half of a surrogate pair keeps it from."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def is_number(value, low, high):
    return isinstance(value, float) and low <= value <= high


def is_history(value):
    return isinstance(value, list) and 60 <= len(value) <= 5000 and all(is_number(one, 1e-9, 1e12) for one in value)


def is_day(value):
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def are_series(value):
    """Ids are the request's; prices are each series' own affair, and a bad one is answered beside the others."""
    if not isinstance(value, list) or not 1 <= len(value) <= 1000:
        return False
    if not all(isinstance(one, dict) and {"id"} <= set(one) <= {"id", "prices"} for one in value):
        return False
    names = [one["id"] for one in value]
    return all(is_text(name) and 1 <= len(name) <= 200 for name in names) and len(set(names)) == len(names)


def is_right_explanation(body):
    """Return whether POST /explain must answer this body with 200."""
    request = read(body)
    if not isinstance(request, dict) or set(request) - {"prices", "last_date", "calendar", "detail"}:
        return False
    if not is_history(request.get("prices")) or request.get("detail") not in (None, "days", "full"):
        return False
    last_date, calendar = request.get("last_date"), request.get("calendar")
    is_dated = last_date is None or is_day(last_date)
    return is_dated and (calendar is None or (calendar in CALENDARS and last_date is not None))


def is_right(body):
    """Return whether POST /predict must answer this body with 200."""
    request = read(body)
    if not isinstance(request, dict) or set(request) - {
        "prices",
        "series",
        "horizon",
        "levels",
        "last_date",
        "calendar",
    }:
        return False
    given_fields = {name: value for name, value in request.items() if value is not None}
    horizon, levels = given_fields.get("horizon", 1.0), given_fields.get("levels", [])
    return (
        ("prices" in given_fields) != ("series" in given_fields)
        and ("prices" not in given_fields or is_history(request["prices"]))
        and ("series" not in given_fields or are_series(request["series"]))
        and is_number(horizon, 1, 5)
        and horizon == int(horizon)
        and isinstance(levels, list)
        and len(levels) <= 20
        and all(isinstance(level, float) and level in LEVELS for level in levels)
        and ("last_date" not in given_fields or is_day(request["last_date"]))
        and ("calendar" not in given_fields or (request["calendar"] in CALENDARS and "last_date" in given_fields))
    )


def is_right_inference(body):
    """Return whether the Open Inference Protocol's `infer` must answer this body with 200; None where it may.

    What is beside the protocol's fields is for nobody: broken UTF-8, half a surrogate pair or a number beyond doubles
    is not looked for there.
    """
    request = read(body, "replace")
    if re.search(r"\ufffd|\\ud|NaN|Infinity|1e400|\d{400}", body.decode(errors="replace")):
        return None
    if not isinstance(request, dict) or not isinstance(request.get("inputs"), list) or len(request["inputs"]) != 1:
        return False
    (tensor,), outputs, name = request["inputs"], request.get("outputs"), request.get("id")
    outputs = [] if outputs is None else outputs
    if not isinstance(tensor, dict) or not isinstance(outputs, list):
        return False
    if not all(isinstance(one, dict) and one.get("name") in ("quantiles", "predicted_price") for one in outputs):
        return False
    shape, data, parameters = tensor.get("shape"), tensor.get("data"), tensor.get("parameters")
    if not isinstance(shape, list) or not all(type(size) is Whole for size in shape) or not isinstance(data, list):
        return False
    if data and all(isinstance(row, list) for row in data):
        if [len(data), *{len(row) for row in data}] != shape:
            return False
        data = [price for row in data for price in row]
    return (
        (name is None or (isinstance(name, str) and len(name) <= 200))
        and len({one["name"] for one in outputs}) == len(outputs)
        and (tensor.get("name"), tensor.get("datatype")) == ("prices", "FP64")
        and len(shape) == 2
        and 1 <= shape[0] <= 1000
        and shape[1] == 60
        and len(data) == shape[0] * 60
        and all(is_number(price, 1e-9, 1e12) for price in data)
        and (parameters is None or (isinstance(parameters, dict) and "binary_data_size" not in parameters))
    )


def is_event(asked):
    """Return whether this has what payload format 2.0 always has, and the parts that are read have their types."""

    def has(part, name, *types):
        return name not in part or type(part[name]) in types

    none = type(None)
    if type(asked) is not dict or type(asked.get("rawPath")) is not str:
        return False
    context, headers = asked.get("requestContext"), asked.get("headers")
    return (
        type(context) is dict
        and type(context.get("http")) is dict
        and all(is_text(name) for part in (asked, context, context["http"]) for name in part)
        and type(context["http"].get("method")) is str
        and has(context, "requestId", str, none)
        and has(context, "stage", str)
        and has(asked, "headers", dict, none)
        and all(type(name) is str and type(value) is str for name, value in (headers or {}).items())
        and has(asked, "stageVariables", dict, none)
        and all(type(name) is str and type(value) is str for name, value in (asked.get("stageVariables") or {}).items())
        and has(asked, "body", str, none)
        and has(asked, "isBase64Encoded", bool)
    )
