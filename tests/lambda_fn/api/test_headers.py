"""Headers of every answer: its request, that nobody keeps it, and how it is packed."""

import base64
import gzip
import json

import pytest

from lambda_fn.api.handler import handler
from tests.lambda_fn.api.test_series import many
from tests.lambda_fn.conftest import Context, event


def answer(body=None, accept=None, **named):
    asked = event(body, **named)
    if accept is not None:
        asked["headers"]["accept-encoding"] = accept
    response = handler(asked, Context())
    return response, {name.lower(): value for name, value in response["headers"].items()}


@pytest.mark.parametrize(
    ("body", "path", "method", "status"),
    [
        ({"prices": [40.0] * 60}, "/predict", "POST", 200),
        ({"prices": []}, "/predict", "POST", 422),
        ("{", "/predict", "POST", 400),
        ({"prices": [40.0] * 60}, "/explain", "POST", 200),
        (None, "/health", "GET", 200),
        (None, "/nowhere", "GET", 404),
        (None, "/predict", "GET", 405),
    ],
)
def test_every_answer_names_its_request_and_is_kept_by_nobody(body, path, method, status):
    response, headers = answer(body, path=path, method=method)
    assert response["statusCode"] == status
    assert headers["x-request-id"] == "request-1"
    assert headers["cache-control"] == "no-store"


def test_a_fault_of_ours_names_its_request_as_well(monkeypatch):
    monkeypatch.setattr("lambda_fn.api.handler.forecast_one", lambda *_: 1 / 0)
    response, headers = answer({"prices": [40.0] * 60})
    assert (response["statusCode"], headers["x-request-id"]) == (500, "request-1")


def test_a_forged_request_id_cannot_break_a_header():
    asked = event({"prices": []})
    asked["requestContext"]["requestId"] = "a\r\nSet-Cookie: x\x1b[2J" + "é" * 300
    response = handler(asked, Context())
    assert response["headers"]["X-Request-Id"] == "aSet-Cookie: x[2J"
    assert json.loads(response["body"])["instance"] == "aSet-Cookie: x[2J"


def test_without_an_id_of_the_gateway_it_is_lambdas():
    asked = event({"prices": []})
    del asked["requestContext"]["requestId"]
    assert handler(asked, Context())["headers"]["X-Request-Id"] == "lambda-1"


@pytest.mark.parametrize("accept", ["gzip", "deflate, gzip;q=0.5", "GZIP", "*", "br, *;q=0.1"])
def test_a_long_answer_is_packed_for_who_takes_gzip(accept):
    body = {"series": many(40)}
    response, headers = answer(body, accept)
    plain, _ = answer(body)
    assert (headers["content-encoding"], headers["vary"]) == ("gzip", "Accept-Encoding")
    assert response["isBase64Encoded"] is True
    packed = base64.b64decode(response["body"])
    assert gzip.decompress(packed).decode() == plain["body"]
    assert len(packed) < len(plain["body"]) * 0.6


@pytest.mark.parametrize("accept", [None, "", "deflate", "gzip;q=0", "gzip; q=0.000", "*;q=0", "gzip;q=0, *"])
def test_it_is_plain_for_who_does_not(accept):
    response, headers = answer({"series": many(40)}, accept)
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept-Encoding"
    assert not response.get("isBase64Encoded")


def test_a_short_answer_is_never_packed():
    response, headers = answer({"prices": [40.0] * 60}, "gzip")
    assert "content-encoding" not in headers
    assert json.loads(response["body"])["predicted_price"] > 0


def test_head_is_answered_as_get_is():
    assert answer(path="/health", method="HEAD")[0]["statusCode"] == 200
    response, headers = answer(path="/predict", method="HEAD")
    assert (response["statusCode"], headers["allow"]) == (405, "POST")
    assert answer("{}", path="/health", method="PUT")[1]["allow"] == "GET, HEAD"
