"""Any bytes, any body, any event: 2xx or 4xx, one line of log, and a 200 just where docs/api.md allows one.

`make fuzz` runs 20,000 cases: EFEMERA_FUZZ_EXAMPLES says how many there are in all.
"""

import base64
import json
import math
import os

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from lambda_fn.api.handler import routes
from tests.lambda_fn.api.answers import EXPLAIN, INFER, PREDICT, answered
from tests.lambda_fn.api.odd_bodies import HALVES, INFERENCES, REQUESTS, ROUTES, TYPES, mutated
from tests.lambda_fn.api.odd_events import ANY
from tests.lambda_fn.api.second_reading import (
    is_event,
    is_history,
    is_right,
    is_right_explanation,
    is_right_inference,
    read,
)
from tests.lambda_fn.conftest import event

WANTED = int(os.environ.get("EFEMERA_FUZZ_EXAMPLES") or 1200)
TESTS = 8
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
    answer = answered(asked)
    cases.append(answer.status)
    return answer


def finite(value):
    """Every number of an answer."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return all(finite(one) for one in value)
    return not isinstance(value, float) or math.isfinite(value)


def check_forecasts(body, answer):
    """A 200 where docs/api.md allows one and nowhere else, and the last price is the request's own."""
    assert (answer.status == 200) is is_right(body), (answer.status, answer.body, body[:300])
    if answer.status == 200:
        asked = read(body)
        assert finite(answer.body)
        if asked.get("prices") is not None:
            assert answer.body["last_price"] == asked["prices"][-1]
        else:
            assert [one["id"] for one in answer.body["forecasts"]] == [one["id"] for one in asked["series"]]
            for one, told in zip(asked["series"], answer.body["forecasts"], strict=True):
                assert ("error" not in told) is is_history(one.get("prices"))


def check_tensors(body, answer):
    """A 200 where the protocol allows one and nowhere else, with as many windows as the request has."""
    right = is_right_inference(body)
    assert right is None or (answer.status == 200) is right, (answer.status, answer.body, body[:300])
    if answer.status == 200:
        asked = read(body, "replace")
        assert finite(answer.body)
        assert answer.body.get("id") == asked.get("id")
        wanted = [one["name"] for one in asked.get("outputs") or []] or ["predicted_price", "quantiles"]
        assert [one["name"] for one in answer.body["outputs"]] == wanted
        for one in answer.body["outputs"]:
            assert one["shape"][0] == asked["inputs"][0]["shape"][0]
            assert len(one["data"]) == math.prod(one["shape"])


def check_explanation(body, answer):
    """A 200 where docs/api.md allows one and nowhere else, every number finite, and of the request's own closes."""
    assert (answer.status == 200) is is_right_explanation(body), (answer.status, answer.body, body[:300])
    if answer.status == 200:
        assert finite(answer.body)
        assert [day["price"] for day in answer.body["days"]] == read(body)["prices"][-60:]


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
    answer = ask(asked)
    assert (answer.status == 404) is (path not in ROUTES)
    if answer.status == 200:
        assert method in routes[path]


@pytest.mark.slow
@fuzz
@given(mutated())
def test_a_right_body_with_bytes_changed_is_a_forecast_only_if_it_is_still_right(body):
    check_forecasts(body, ask(posted(body, PREDICT)))


@fuzz
@given(mutated())
def test_a_right_body_with_bytes_changed_is_explained_only_if_it_is_still_right(body):
    check_explanation(body, ask(posted(body, EXPLAIN)))


@fuzz
@given(REQUESTS)
def test_a_request_of_odd_values_is_explained_just_where_the_readme_allows_it(value):
    body = json.dumps({**value, "detail": value.get("detail")} if isinstance(value, dict) else value).encode()
    check_explanation(body, ask(posted(body, EXPLAIN)))


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


@pytest.mark.slow
@fuzz
@given(ANY)
def test_any_event_is_answered_and_told_from_what_is_none(asked):
    answer = ask(asked)
    is_none = answer.status == 400 and answer.body["detail"].startswith("this is no event of an API Gateway HTTP API")
    assert is_none is not is_event(asked)
    if is_none:
        assert answer.headers["x-request-id"] == "lambda-1"
        assert answer.line["route"] == "none"
        return
    wanted = asked["requestContext"].get("requestId") or "lambda-1"
    kept = "".join(letter for letter in wanted[:128] if 32 <= ord(letter) < 127)
    assert answer.headers["x-request-id"] == (kept or "lambda-1")
    path, stage = asked["rawPath"], asked["requestContext"].get("stage", "$default")
    if stage != "$default" and (path == f"/{stage}" or path.startswith(f"/{stage}/")):
        path = path[len(stage) + 1 :] or "/"
    assert (answer.status == 404) is (path not in ROUTES)
    if path in ROUTES:
        assert (answer.status == 405) is (asked["requestContext"]["http"]["method"] not in routes[path])
