"""Strategies for events: of an HTTP API, nearly so, and anything."""

import base64

from hypothesis import strategies as st

from tests.lambda_fn.api.answers import INFER, PREDICT
from tests.lambda_fn.api.odd_bodies import GOOD, HALVES, ROUTES, TYPES, mostly

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
