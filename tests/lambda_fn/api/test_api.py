"""The handler: a forecast for a right request, and for a wrong one a problem that names every place."""

import base64
import json
import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_fn import telemetry
from lambda_fn.api.handler import handler
from tests.lambda_fn.conftest import Context, event


def call(*arguments, **named):
    """Status, headers and decoded body of one request."""
    response = handler(event(*arguments, **named), Context())
    return response["statusCode"], {k.lower(): v for k, v in response["headers"].items()}, json.loads(response["body"])


def problem(*arguments, **named):
    status, headers, body = call(*arguments, **named)
    assert headers["content-type"] == "application/problem+json"
    assert body["status"] == status
    assert body["instance"] == "request-1"
    assert body["type"].startswith("/problems/")
    assert body["title"]
    assert body["detail"]
    return status, body


def pointers(body):
    return [fault["pointer"] for fault in body["errors"]]


def test_sixty_closes_give_the_models_very_answer(walk, forecaster):
    status, headers, body = call({"prices": walk})
    quantiles = forecaster.quantiles(np.array([walk]))[0]
    assert (status, headers["content-type"]) == (200, "application/json")
    assert body["predicted_price"] == quantiles[0, 3]
    assert body["last_price"] == body["naive_price"] == walk[-1]
    assert [step["median"] for step in body["steps"]] == quantiles[:, 3].tolist()
    assert body["steps"][1] == {
        "step": 2,
        "median": quantiles[1, 3],
        "intervals": {
            "95": [quantiles[1, 0], quantiles[1, 6]],
            "80": [quantiles[1, 1], quantiles[1, 5]],
            "50": [quantiles[1, 2], quantiles[1, 4]],
        },
    }
    assert body["warnings"] == []
    assert body["verdict"] == forecaster.verdict
    assert body["model_digest"] == forecaster.model_digest
    assert body["model_version"] == forecaster.manifest.model_version


def test_only_the_last_window_is_read(walk):
    assert call({"prices": [1.0, 99.0, *walk]})[2] == call({"prices": walk})[2]


def test_whole_numbers_and_the_edges_of_the_range_are_prices():
    assert call({"prices": [40] * 59 + [41]})[0] == 200
    assert call({"prices": [1e-9] * 30 + [1e12] * 30})[0] == 200
    assert call({"prices": [40.0] * 5000})[0] == 200


def test_a_window_without_movement_is_answered_with_a_warning():
    status, _, body = call({"prices": [40.0] * 60})
    assert (status, body["warnings"]) == (200, ["constant"])
    assert abs(body["predicted_price"] / 40 - 1) < 1e-3


def test_only_a_window_without_any_movement_is_constant(walk):
    assert call({"prices": [1.0, *[40.0] * 60]})[2]["warnings"] == ["constant"]
    assert call({"prices": [40.0, *walk[1:59], 40.0]})[2]["warnings"] == []


def test_half_a_surrogate_pair_is_a_bad_request_wherever_it_stands(walk):
    status, body = problem(json.dumps({"prices": walk, "\ud800": 1}))
    assert (status, pointers(body)) == (422, ["/?"])
    assert problem({}, path="/\udfff")[0] == 404
    assert problem({}, content_type="text/\ud800")[0] == 415


def test_horizon_and_levels_choose_among_the_models(walk):
    _, _, body = call({"prices": walk, "horizon": 2, "levels": [80]})
    assert [step["step"] for step in body["steps"]] == [1, 2]
    assert [list(step["intervals"]) for step in body["steps"]] == [["80"], ["80"]]
    assert call({"prices": walk, "horizon": 2.0, "levels": [80.0]})[2]["steps"] == body["steps"]
    assert call({"prices": walk, "levels": []})[2]["steps"][0]["intervals"] == {}
    assert call({"prices": walk, "horizon": None, "levels": None})[2] == call({"prices": walk})[2]


@pytest.mark.parametrize("bad", ["31.5", None, True, [], {}, 0, -3.5, 0.0, 1e-10, 1.1e12])
def test_an_element_that_is_no_price_is_pointed_at(walk, bad):
    status, body = problem({"prices": [*walk[:3], bad, *walk[3:]]})
    assert status == 422
    assert body["errors"] == [{"pointer": "/prices/3", "detail": "must be a number between 1e-9 and 1e12"}]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400])
def test_numbers_that_json_or_float_cannot_hold_are_pointed_at(walk, literal):
    text = json.dumps({"prices": [*walk[:2], 77777, *walk[2:]]}).replace("77777", literal)
    status, body = problem(text)
    assert status == 422
    assert pointers(body) == ["/prices/2"]


def test_every_fault_is_named_at_once(walk):
    status, body = problem({"prices": [*walk[:58], "a", None], "horizon": 0, "levels": [80, 81], "price": 1})
    assert status == 422
    assert pointers(body) == ["/price", "/prices/58", "/prices/59", "/horizon", "/levels/1"]
    assert "and 4 more" in body["detail"]


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({}, "/prices", "is required"),
        ({"prices": "40"}, "/prices", "must be a list of 60 to 5000 numbers"),
        ({"prices": None}, "/prices", "must be a list of 60 to 5000 numbers"),
        ({"prices": {"0": 1}}, "/prices", "must be a list of 60 to 5000 numbers"),
        ({"prices": []}, "/prices", "must hold 60 to 5000 numbers, holds 0"),
        ({"prices": [40.0] * 59}, "/prices", "must hold 60 to 5000 numbers, holds 59"),
        ({"prices": [40.0] * 5001}, "/prices", "must hold 60 to 5000 numbers, holds 5001"),
        ({"prices": [40.0] * 60, "a/b~c": 1}, "/a~1b~0c", "unknown field; known are prices, series, horizon, levels"),
        ({"prices": [40.0] * 60, "horizon": 6}, "/horizon", "must be a whole number from 1 to 5"),
        ({"prices": [40.0] * 60, "horizon": "2"}, "/horizon", "must be a whole number from 1 to 5"),
        ({"prices": [40.0] * 60, "horizon": True}, "/horizon", "must be a whole number from 1 to 5"),
        ({"prices": [40.0] * 60, "horizon": 1.5}, "/horizon", "must be a whole number from 1 to 5"),
        ({"prices": [40.0] * 60, "horizon": math.inf}, "/horizon", "must be a whole number from 1 to 5"),
        ({"prices": [40.0] * 60, "horizon": math.nan}, "/horizon", "must be a whole number from 1 to 5"),
        (
            {"prices": [40.0] * 60, "levels": [99]},
            "/levels/0",
            "must be one of this model's interval levels: 50, 80, 95",
        ),
        ({"prices": [40.0] * 60, "levels": 80}, "/levels", "must be a list"),
        ([], "", "must be an object"),
        ("null", "", "must be an object"),
        ("3", "", "must be an object"),
    ],
)
def test_a_wrong_field_is_named(body, pointer, detail):
    status, response = problem(body)
    assert status == 422
    assert response["errors"][0]["pointer"] == pointer
    assert response["errors"][0]["detail"].startswith(detail)


@pytest.mark.parametrize(
    "body", [None, "", "{", "prices=1", '{"prices": [1,]}', '{"prices": [40.0}', "[" * 100_000, "\ufeff{}"]
)
def test_a_body_that_is_no_json_is_400(body):
    status, response = problem(body)
    assert status == 400
    assert response["detail"].startswith("the body is not JSON")


def test_a_base64_body_is_read(walk):
    text = base64.b64encode(json.dumps({"prices": walk}).encode()).decode()
    assert call(text, encoded=True)[2] == call({"prices": walk})[2]


@pytest.mark.parametrize("text", ["***", "abc", base64.b64encode(b"\xff\xfe{}").decode()])
def test_a_base64_body_that_is_none_or_no_text_is_400(text):
    assert problem(text, encoded=True)[0] == 400


@pytest.mark.parametrize(
    "kind", [None, "application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"]
)
def test_json_by_any_of_its_names_is_read(walk, kind):
    assert call({"prices": walk}, content_type=kind)[0] == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream"])
def test_another_content_type_is_415_and_told_what_to_send(walk, kind):
    status, body = problem({"prices": walk}, content_type=kind)
    assert status == 415
    assert "send 'application/json'" in body["detail"]


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [("/predict", "GET", "POST"), ("/predict", "DELETE", "POST"), ("/health", "POST", "GET, HEAD")],
)
def test_a_wrong_method_is_405_and_says_which_is_right(path, method, allowed):
    response = handler(event("{}", path=path, method=method), Context())
    assert response["statusCode"] == 405
    assert response["headers"]["Allow"] == allowed
    assert allowed in json.loads(response["body"])["detail"]


@pytest.mark.parametrize("path", ["/pages", "/predict/", "/Predict", "/predict/1", "/../health", "//predict"])
def test_a_wrong_path_is_404(path):
    status, body = problem({}, path=path)
    assert status == 404
    assert "POST /predict" in body["detail"]


def test_health_says_which_model_is_ready(forecaster):
    status, _, body = call(path="/health", method="GET")
    assert status == 200
    assert body["status"] == "ok"
    assert body["model_digest"] == forecaster.model_digest


def test_a_fault_of_ours_is_500_with_its_stack_in_the_log_and_no_price_anywhere(walk, monkeypatch, capsys, caplog):
    def fail(*_):
        raise RuntimeError(f"lost {walk[-1]}")

    monkeypatch.setattr("lambda_fn.api.handler.forecast_one", fail)
    status, body = problem({"prices": walk})
    logged = capsys.readouterr().out + "".join(map(telemetry.logger.registered_formatter.format, caplog.records))
    assert status == 500
    assert "RuntimeError" in logged
    assert "request-1" in logged
    assert "in fail" in logged
    assert str(walk[-1]) not in logged + json.dumps(body)


@pytest.mark.parametrize(
    "body", [{"prices": [12345.678] * 60}, {"prices": [12345.678] * 59 + ["x"]}, '{"prices": [12345.678']
)
def test_no_price_is_ever_logged(body, capfd, caplog):
    with caplog.at_level(logging.DEBUG):
        call(body)
    captured = capfd.readouterr()
    assert "12345" not in captured.out + captured.err + caplog.text


KEY = st.sampled_from(["prices", "horizon", "levels"]) | st.text(st.characters(codec=None), max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_gets_2xx_or_4xx(value):
    status, _, _ = call(json.dumps(value))
    assert 200 <= status < 300 or 400 <= status < 500


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["/predict", "/health", "/x"]), st.sampled_from(["POST", "GET", "PUT"]))
def test_any_bytes_get_2xx_or_4xx(body, path, method):
    status, _, _ = call(base64.b64encode(body).decode(), encoded=True, path=path, method=method)
    assert 200 <= status < 300 or 400 <= status < 500


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-9, 1e12), min_size=60, max_size=70))
def test_any_prices_in_range_get_a_finite_positive_forecast(prices):
    status, _, body = call({"prices": prices})
    assert status == 200
    for step in body["steps"]:
        assert 0 < step["intervals"]["95"][0] <= step["median"] <= step["intervals"]["95"][1] < float("inf")
