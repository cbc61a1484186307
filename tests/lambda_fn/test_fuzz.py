"""Any bytes, any body, any event: 2xx or 4xx, one line of log, and a 200 just where the README allows one.

`make fuzz` runs 20,000 cases: EFEMERA_FUZZ_EXAMPLES says how many there are in all.
"""

import base64
import datetime
import json
import math
import os
import re

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from lambda_fn import api
from tests.lambda_fn.conftest import event
from tests.lambda_fn.hostile import INFER, PREDICT, answered

WANTED = int(os.environ.get("EFEMERA_FUZZ_EXAMPLES") or 1200)
TESTS = 6
fuzz = settings(
    max_examples=math.ceil(WANTED / TESTS),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
cases = []  # the status of each


@pytest.fixture(scope="module", autouse=True)
def _count(request):
    yield
    if "EFEMERA_FUZZ_EXAMPLES" in os.environ:
        counted = ", ".join(f"{cases.count(status):,} × {status}" for status in sorted(set(cases)))
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            request.config.get_terminal_writer().line(f"\n{len(cases):,} cases: {counted}")


def ask(asked):
    """The answer to an event, held to all that must be true of any, and counted."""
    note(ascii(asked)[:3000])
    found = answered(asked)
    cases.append(found.status)
    return found


# What the README says a right request is, read once more: shares nothing with the API but the standard's words.

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
    """Whether UTF-8 can hold it, which half of a surrogate pair keeps it from."""
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


def is_right(body):
    """Whether POST /predict must answer this body with 200."""
    found = read(body)
    if not isinstance(found, dict) or set(found) - {"prices", "series", "horizon", "levels", "last_date", "calendar"}:
        return False
    given_fields = {name: value for name, value in found.items() if value is not None}
    horizon, levels = given_fields.get("horizon", 1.0), given_fields.get("levels", [])
    return (
        ("prices" in given_fields) != ("series" in given_fields)
        and ("prices" not in given_fields or is_history(found["prices"]))
        and ("series" not in given_fields or are_series(found["series"]))
        and is_number(horizon, 1, 5)
        and horizon == int(horizon)
        and isinstance(levels, list)
        and len(levels) <= 20
        and all(isinstance(level, float) and level in LEVELS for level in levels)
        and ("last_date" not in given_fields or is_day(found["last_date"]))
        and ("calendar" not in given_fields or (found["calendar"] in CALENDARS and "last_date" in given_fields))
    )


def is_right_inference(body):
    """Whether the Open Inference Protocol's `infer` must answer this body with 200; None where it may, or may not.

    What is beside the protocol's fields is for nobody: broken UTF-8, half a surrogate pair or a number beyond doubles
    is not looked for there.
    """
    found = read(body, "replace")
    if re.search(r"\ufffd|\\ud|NaN|Infinity|1e400|\d{400}", body.decode(errors="replace")):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("inputs"), list) or len(found["inputs"]) != 1:
        return False
    (tensor,), outputs, name = found["inputs"], found.get("outputs", []), found.get("id")
    if not isinstance(tensor, dict) or not isinstance(outputs, list):
        return False
    if not all(isinstance(one, dict) and one.get("name") in ("quantiles", "predicted_price") for one in outputs):
        return False
    shape, data, parameters = tensor.get("shape"), tensor.get("data"), tensor.get("parameters", {})
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
        and isinstance(parameters, dict)
        and "binary_data_size" not in parameters
    )


def is_event(asked):
    """Whether this has what payload format 2.0 always has, and the parts that are read have their types."""

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
        and has(asked, "body", str, none)
        and has(asked, "isBase64Encoded", bool)
    )


# Bodies

ROUTES = {path: methods.split(", ")[0] for path, methods in api.routes.items()}
WALK = [40.0 + 0.25 * (day % 7) for day in range(60)]
HALVES = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)  # with halves of surrogate pairs
TYPES = st.sampled_from(
    [
        *(
            "application/json",
            "APPLICATION/JSON; charset=utf-8",
            "application/problem+json",
            "application/octet-stream",
        ),
        *("text/plain", "application/", "+json", "application/+json", ";", "", " ", "multipart/form-data; boundary=x"),
        None,
    ]
)
TENSOR = {"name": "prices", "shape": [1, 60], "datatype": "FP64", "data": WALK}
GOOD = [
    json.dumps(body).encode()
    for body in (
        {"prices": WALK},
        {"prices": WALK, "horizon": 2, "levels": [80, 50.0], "last_date": "2026-11-20", "calendar": "BVMF"},
        {"series": [{"id": "a", "prices": WALK}, {"id": "b/~\u00e9", "prices": [1]}], "horizon": 1},
        {"inputs": [TENSOR]},
        {"id": "7", "inputs": [{**TENSOR, "data": [WALK], "parameters": {"a": 1}}], "outputs": [{"name": "quantiles"}]},
    )
]
TOKENS = [
    *(b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-0.0", b"1e-400", b"9" * 400, b"9" * 5000, b"0", b"-1", b"true"),
    *(b"null", b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b'"\\ud800"', b'"\\u0000"', b"\x00", b"\xff", b" "),
    *(b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\n", b"\t", b"[]", b"{}", b'""', b"[[", b"]]", b'"prices"', b'"id"', b"/*"),
    *(b'"x":1,', b"2.0", b"1E0", b"[" * 2000, b'{"a":' * 2000, b"40," * 5000, b'"\xc3\xa9"', b'"\x01"', b"'", b"+1"),
    *(b".5", b"5.", b"01", b"1_0"),
]


@st.composite
def mutated(draw):
    """A right body with a few bytes put in, taken out, doubled or moved."""
    body = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.sampled_from([0, 1, 2, 4, 8, 60, len(body)])))
        piece = draw(st.sampled_from([*TOKENS, b"", body[start:end] * 2]) | st.binary(max_size=3))
        body = body[:start] + piece + body[end:]
    return body


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    HALVES,
    st.sampled_from(
        [0, -0.0, 1e-9, 9e-10, 1e12, 1.0001e12, 1e308, 10**400, "40", [], {}, [40.0], {"0": 1}, "NaN", 2**63]
    ),
)


@st.composite
def histories(draw):
    """Prices, most of them right."""
    length = draw(st.sampled_from([60, 60, 60, 60, 61, 200, 59, 1, 0, 5000, 5001]))
    prices = (WALK * (length // 60 + 1))[:length]
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2])) if length else 0):
        prices[draw(st.integers(0, length - 1))] = draw(ODD)
    return prices


def mostly(right, wrong):
    """Right nine times in ten: what is wrong everywhere would never get beyond its first fault."""
    return st.integers(0, 9).flatmap(lambda chance: wrong if chance == 0 else right)


DAYS = st.sampled_from(
    [
        *("2026-11-20", "2026-02-30", "0001-01-01", "9999-12-31", "2026-11-20T00:00:00", "20261120", "2026-W47-5", ""),
        *("\u0662026-11-20", "2026-11-20Z", " 2026-11-20", "2026-1-1", "2026-11-20\n", "0000-01-01", "+2026-11-20"),
    ]
)
NAMES_OF_SERIES = st.sampled_from(["a", "b", "c", "d", "a/b~c", "\u00e9" * 200, "\x00", "\U0001f600"]) | HALVES
SERIES = st.one_of(
    st.lists(
        st.fixed_dictionaries(
            {"id": mostly(NAMES_OF_SERIES, st.sampled_from(["i" * 201, "", "\ud800"]) | ODD)},
            optional={"prices": mostly(histories(), ODD)},
        ),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.fixed_dictionaries({}, optional={"id": ODD, "prices": histories(), "x": ODD}) | ODD, max_size=3),
    ODD,
)
OPTIONS = {
    "horizon": mostly(st.sampled_from([1, 2, 5, 1.0, 5.0, None]), st.sampled_from([2.5, 0, 6, -1, 10**30, True]) | ODD),
    "levels": mostly(
        st.lists(st.sampled_from([50, 80, 95, 80.0]), max_size=3) | st.just([80] * 20) | st.none(),
        st.just([80] * 21) | st.lists(st.sampled_from([80, 81, True]) | ODD, max_size=3) | ODD,
    ),
    "last_date": mostly(st.just("2026-11-20"), DAYS | ODD),
    "calendar": mostly(st.sampled_from(["BVMF", "XNYS", "24/7", "weekdays"]), st.sampled_from(["bvmf", ""]) | ODD),
}
REQUESTS = st.one_of(
    st.fixed_dictionaries({"prices": histories()}, optional=OPTIONS),
    st.fixed_dictionaries({"series": SERIES}, optional=OPTIONS),
    st.fixed_dictionaries({}, optional={"prices": histories() | ODD, "series": SERIES, **OPTIONS}),
    st.dictionaries(st.sampled_from(["prices", "series", "Prices", "horizon"]) | HALVES, ODD, max_size=3),
    ODD,
)
SIZES = st.sampled_from(
    [[1, 60], [1, 60], [2, 60], [60], [60, 1], [0, 60], [-1, 60], [1, 59], [1, 60, 1], [2**63, 60], []]
)
TENSORS = st.fixed_dictionaries(
    {
        "name": mostly(st.just("prices"), ODD),
        "shape": mostly(SIZES, ODD),
        "datatype": mostly(st.just("FP64"), ODD),
        "data": mostly(histories() | st.lists(histories(), max_size=2), ODD),
    },
    optional={
        "parameters": mostly(st.sampled_from([{}, {"a": {"b": [1]}}]), ODD | st.just({"binary_data_size": 480})),
        "x": ODD,
    },
)
OUTPUTS = mostly(
    st.lists(st.sampled_from([{"name": "quantiles"}, {"name": "predicted_price", "x": 1}]), max_size=3),
    st.lists(st.fixed_dictionaries({"name": st.sampled_from(["quantiles", "x"]) | ODD}), max_size=2) | ODD,
)
INFERENCES = st.fixed_dictionaries(
    {"inputs": mostly(st.lists(TENSORS, min_size=1, max_size=1), st.lists(TENSORS, max_size=2) | ODD)},
    optional={"id": mostly(HALVES | st.just("i" * 200), st.just("i" * 201) | ODD), "outputs": OUTPUTS, "x": ODD},
)


def finite(value):
    """Every number of an answer."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return all(finite(one) for one in value)
    return not isinstance(value, float) or math.isfinite(value)


def check_forecasts(body, found):
    """A 200 where the README allows one and nowhere else, and the last price is the request's own."""
    assert (found.status == 200) is is_right(body), (found.status, found.body, body[:300])
    if found.status == 200:
        asked = read(body)
        assert finite(found.body)
        if asked.get("prices") is not None:
            assert found.body["last_price"] == asked["prices"][-1]
        else:
            assert [one["id"] for one in found.body["forecasts"]] == [one["id"] for one in asked["series"]]
            for one, told in zip(asked["series"], found.body["forecasts"], strict=True):
                assert ("error" not in told) is is_history(one.get("prices"))


def check_tensors(body, found):
    """A 200 where the protocol allows one and nowhere else, with as many windows as the request has."""
    right = is_right_inference(body)
    assert right is None or (found.status == 200) is right, (found.status, found.body, body[:300])
    if found.status == 200:
        asked = read(body, "replace")
        assert finite(found.body)
        assert found.body.get("id") == asked.get("id")
        wanted = [one["name"] for one in asked.get("outputs", [])] or ["predicted_price", "quantiles"]
        assert [one["name"] for one in found.body["outputs"]] == wanted
        for one in found.body["outputs"]:
            assert one["shape"][0] == asked["inputs"][0]["shape"][0]
            assert len(one["data"]) == math.prod(one["shape"])


def posted(body, path, content_type="application/json"):
    """A request with these bytes, as text where they are text."""
    try:
        return event(body.decode(), path=path, content_type=content_type)
    except UnicodeDecodeError:
        return event(base64.b64encode(body).decode(), path=path, content_type=content_type, encoded=True)


@fuzz
@given(st.data())
def test_any_bytes_on_any_route_are_answered(data):
    path = data.draw(st.sampled_from([*ROUTES, "/", "/x", PREDICT, INFER]))
    method = data.draw(
        st.sampled_from([ROUTES.get(path, "POST")] * 3 + ["GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE"])
    )
    kind = data.draw(TYPES | HALVES)
    if data.draw(st.booleans()):
        content = data.draw(st.binary(max_size=300) | mutated())
        asked = event(base64.b64encode(content).decode(), path=path, method=method, content_type=kind, encoded=True)
    else:
        text = data.draw(st.none() | st.text(st.characters(codec=None, exclude_categories=()), max_size=100))
        asked = event(text, path=path, method=method, content_type=kind, encoded=data.draw(st.booleans()))
    found = ask(asked)
    assert (found.status == 404) is (path not in ROUTES)
    if found.status == 200:
        assert method in api.routes[path].split(", ")


@fuzz
@given(mutated())
def test_a_right_body_with_bytes_changed_is_a_forecast_only_if_it_is_still_right(body):
    check_forecasts(body, ask(posted(body, PREDICT)))


@fuzz
@given(mutated())
def test_a_right_body_with_bytes_changed_is_inferred_only_if_it_is_still_right(body):
    check_tensors(body, ask(posted(body, INFER)))


@fuzz
@given(REQUESTS)
def test_a_request_of_odd_values_is_a_forecast_just_where_the_readme_allows_it(value):
    body = json.dumps(value).encode()
    check_forecasts(body, ask(posted(body, PREDICT)))


@fuzz
@given(INFERENCES | REQUESTS)
def test_an_inference_request_of_odd_values_is_answered_just_where_the_protocol_allows_it(value):
    body = json.dumps(value).encode()
    check_tensors(body, ask(posted(body, INFER)))


# Events

WORDS = (
    st.sampled_from(
        ["", " ", "/", "x", "\x00", "\r\n", "\ud800", "\U0001f600", "a" * 300, "é", "{}", "$default", "prod"]
    )
    | HALVES
)
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    WORDS,
    st.lists(WORDS, max_size=2),
    st.dictionaries(WORDS, WORDS, max_size=2),
)
LONG = st.sampled_from(["x" * 100_000, "/" * 100_000, "\ud800" * 50_000, "\U0001f600" * 50_000, "[" * 100_000])


PATHS = st.sampled_from(
    [*ROUTES, PREDICT, INFER, "", "/", "/prod/predict", "/prod", "prod/predict", "/predict/", "//predict"]
)
METHODS = st.sampled_from(["POST", "POST", "GET", "HEAD", "PUT", "OPTIONS", "TRACE", "", "post", "\x00", "P\ud800"])
NAMES = st.sampled_from(
    [
        *(
            "content-type",
            "Content-Type",
            "CONTENT-TYPE",
            "accept-encoding",
            "content-encoding",
            "x-request-id",
            "host",
        ),
        *("cookie", "inference-header-content-length", "content-length", "", "\u212aey"),
    ]
)
VALUES = (
    TYPES.filter(bool)
    | st.sampled_from(["gzip", "gzip;q=0", "*", "identity", "br, gzip;q=1.0;", ",;,q=", "0", "-1"])
    | WORDS
)
HEADERS = st.dictionaries(mostly(NAMES, WORDS), mostly(VALUES | WORDS, WRONG), max_size=4)
BODIES = (
    st.none()
    | st.sampled_from(GOOD).map(bytes.decode)
    | st.sampled_from(GOOD).map(lambda b: base64.b64encode(b).decode())
    | WORDS
)
HTTP = st.fixed_dictionaries(
    {"method": mostly(METHODS, WRONG)},
    optional={"path": WRONG, "protocol": WRONG, "sourceIp": WRONG, "userAgent": WRONG, "method2": WRONG},
)
CONTEXT = st.fixed_dictionaries(
    {"http": mostly(HTTP, WRONG)},
    optional={
        "requestId": mostly(st.none() | st.just("JKJaXmPLvHcESHA=") | WORDS, WRONG),
        "stage": mostly(st.sampled_from(["$default", "prod", "", "/", "\u00e9", "\ud800"]), WRONG),
        "accountId": WRONG,
        "authorizer": WRONG,
        "domainName": WRONG,
        "routeKey": WRONG,
        "time": WRONG,
        "timeEpoch": WRONG,
        "authentication": WRONG,
    },
)
PARTS = {
    "version": st.sampled_from(["2.0", "1.0"]) | WRONG,
    "routeKey": WRONG,
    "rawQueryString": WRONG | LONG,
    "cookies": WRONG,
    "headers": mostly(HEADERS, WRONG),
    "queryStringParameters": WRONG,
    "pathParameters": WRONG,
    "stageVariables": WRONG,
    "body": mostly(BODIES, WRONG | LONG),
    "isBase64Encoded": mostly(st.booleans(), WRONG),
    "multiValueHeaders": WRONG,
    "httpMethod": WRONG,
    "path": WRONG,
    "resource": WRONG,
    "x": WRONG | LONG,
}


def below_stage(asked):
    """The event as a named stage sends it, if it has one."""
    context = asked["requestContext"]
    if isinstance(context, dict) and isinstance(context.get("stage"), str) and isinstance(asked["rawPath"], str):
        return {**asked, "rawPath": f"/{context['stage']}{asked['rawPath']}"}
    return asked


WHOLE = st.fixed_dictionaries(
    {"rawPath": mostly(PATHS, WRONG | LONG), "requestContext": mostly(CONTEXT, WRONG)}, optional=PARTS
)
EVENTS = WHOLE | WHOLE.map(below_stage)
OLD = st.fixed_dictionaries(  # payload format 1.0, a REST API's
    {
        **PARTS,
        "version": st.just("1.0"),
        "httpMethod": METHODS,
        "path": PATHS,
        "requestContext": st.just({"stage": "a"}),
    }
)
NONE = st.recursive(
    WRONG, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)
ANY = st.one_of(
    EVENTS,
    EVENTS,
    EVENTS,
    EVENTS,
    st.fixed_dictionaries({}, optional={"rawPath": WRONG, "requestContext": CONTEXT | WRONG, **PARTS}),
    OLD,
    st.builds(lambda one, name, value: {**one, name: value}, EVENTS, WORDS, WRONG),
    NONE | LONG,
)


@fuzz
@given(ANY)
def test_any_event_is_answered_and_told_from_what_is_none(asked):
    found = ask(asked)
    is_none = found.status == 400 and found.body["detail"].startswith("this is no event of an API Gateway HTTP API")
    assert is_none is not is_event(asked)
    if is_none:
        assert found.headers["x-request-id"] == "lambda-1"
        assert found.line["route"] == "none"
        return
    wanted = asked["requestContext"].get("requestId") or "lambda-1"
    kept = "".join(letter for letter in wanted[:128] if 32 <= ord(letter) < 127)
    assert found.headers["x-request-id"] == (kept or "lambda-1")
    path, stage = asked["rawPath"], asked["requestContext"].get("stage", "$default")
    if stage != "$default" and (path == f"/{stage}" or path.startswith(f"/{stage}/")):
        path = path[len(stage) + 1 :] or "/"
    assert (found.status == 404) is (path not in ROUTES)
    if path in ROUTES:
        assert (found.status == 405) is (asked["requestContext"]["http"]["method"] not in api.routes[path].split(", "))


# The checks can fail


@pytest.mark.parametrize(
    "spoiled",
    [
        {"statusCode": 500},
        {"statusCode": "200"},
        {"statusCode": True},
        {"body": '{"predicted_price": NaN}'},
        {"body": '{"predicted_price": 1'},
        {"body": "[]"},
        {"body": '{"x": "\ud800"}'},
        {"headers": {"Content-Type": "application/problem+json", "X-Request-Id": "request-1"}},
        {"headers": {"Content-Type": "application/json", "X-Request-Id": "request-2"}},
        {"headers": {"Content-Type": "application/json", "X-Request-Id": "request-1", "A": "a\nb"}},
        {"headers": {"Content-Type": "application/json", "X-Request-Id": "request-1", "A": 1}},
        {"headers": {"Content-Type": "application/json"}},
    ],
)
def test_an_answer_that_is_none_would_be_seen(spoiled):
    good = event({"prices": WALK})
    assert answered(good).status == 200
    with pytest.raises((AssertionError, KeyError, ValueError)):
        answered(good, lambda asked, context: {**api.handler(asked, context), **spoiled})


@pytest.mark.parametrize(
    "right", [{"prices": [40] * 60, "horizon": 2.0}, {"series": [{"id": "a"}]}, json.loads(GOOD[1])]
)
def test_the_second_reading_of_the_readme_knows_what_is_right(right):
    assert is_right(json.dumps(right).encode())


@pytest.mark.parametrize(
    "wrong",
    [
        {"prices": [40] * 59},
        {"prices": [40] * 60, "x": 1},
        {"prices": [0] * 60},
        {"series": []},
        {"series": [{"id": ""}]},
        3,
        {},
    ],
)
def test_the_second_reading_of_the_readme_knows_what_is_wrong(wrong):
    assert not is_right(json.dumps(wrong).encode())


def test_as_many_tests_share_the_cases_as_there_are():
    shares = [one for name, one in globals().items() if name.startswith("test_") and hasattr(one, "hypothesis")]
    assert len(shares) == TESTS
