"""Strategies for bodies: right ones, nearly right ones, and anything."""

import json

from hypothesis import strategies as st

from lambda_fn.api.handler import routes

ROUTES = {path: next(iter(methods)) for path, methods in routes.items()}
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
        {"prices": WALK, "last_date": "2026-11-20", "calendar": "BVMF", "detail": "full"},
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
