"""Events of API Gateway: stages, base paths, headers in any case, and what is none."""

import json

import pytest

from lambda_fn.api import event as events
from lambda_fn.api.handler import handler
from lambda_fn.api.problem_details import Refusal
from tests.lambda_fn.conftest import Context, event


def read(asked):
    return events.read_event(asked, Context(), None, ())


@pytest.mark.parametrize(
    ("stage", "raw_path", "path"),
    [
        ("$default", "/predict", "/predict"),
        ("prod", "/prod/predict", "/predict"),
        ("prod", "/predict", "/predict"),  # a custom domain leaves the stage out
        ("prod", "/prod", "/"),
        ("prod", "/production/predict", "/production/predict"),
        ("prod", "/prod/prod/predict", "/prod/predict"),
    ],
)
def test_a_stage_is_no_part_of_the_path(stage, raw_path, path):
    asked = event(path=raw_path)
    asked["requestContext"]["stage"] = stage
    assert read(asked).path == path


@pytest.mark.parametrize("path", ["/prices/v1/predict", "/predict", "/prod/prices/v1/predict"])
def test_behind_a_base_path_the_api_is_the_same(path, walk, monkeypatch):
    monkeypatch.setattr(events, "BASE_PATH", "/prices/v1")
    asked = event({"prices": walk}, path=path)
    asked["requestContext"]["stage"] = "prod"
    assert handler(asked, Context())["statusCode"] == 200


def test_a_stage_that_names_its_base_path_is_believed(walk, monkeypatch):
    monkeypatch.setattr(events, "BASE_PATH", "/elsewhere")
    asked = event({"prices": walk}, path="/prices/v1/predict")
    assert handler(asked, Context())["statusCode"] == 404
    asked["stageVariables"] = {"basePath": "/prices/v1/"}
    assert handler(asked, Context())["statusCode"] == 200
    card = event(path="/openapi.json", method="GET") | {"stageVariables": {"basePath": "/prices/v1"}}
    assert json.loads(handler(card, Context())["body"])["servers"] == [{"url": "/prices/v1"}]


def test_the_openapi_document_says_where_the_api_is():
    for stage, path, server in (("$default", "/openapi.json", "/"), ("prod", "/prod/openapi.json", "/prod")):
        asked = event(path=path, method="GET")
        asked["requestContext"]["stage"] = stage
        assert json.loads(handler(asked, Context())["body"])["servers"] == [{"url": server}]


@pytest.mark.parametrize(("base_path", "stage"), [("/v2", "$default"), ("/", "v2"), ("/", "predict")])
def test_a_base_path_or_stage_called_like_a_path_hides_none(base_path, stage, walk, monkeypatch):
    monkeypatch.setattr(events, "BASE_PATH", base_path)
    for prefix in ("", f"/{stage}" if base_path == "/" else base_path):
        for path, method in (("/v2", "GET"), ("/v2/health/live", "GET"), ("/predict", "POST")):
            asked = event({"prices": walk}, path=prefix + path, method=method)
            asked["requestContext"]["stage"] = stage
            assert handler(asked, Context())["statusCode"] == 200, prefix + path


def test_behind_a_base_path_that_aws_leaves_out_the_document_still_names_it(monkeypatch):
    monkeypatch.setattr(events, "BASE_PATH", "/forecasts")
    for path in ("/openapi.json", "/forecasts/openapi.json"):
        response = handler(event(path=path, method="GET"), Context())
        assert json.loads(response["body"])["servers"] == [{"url": "/forecasts"}]


@pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
def test_a_header_counts_in_any_case(name):
    asked = event({})
    asked["headers"] = {"host": "x", name: "text/plain"}
    assert handler(asked, Context())["statusCode"] == 415


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
def test_a_packed_body_is_refused_and_told_how_to_come(coding, walk):
    asked = event({"prices": walk})
    asked["headers"]["content-encoding"] = coding
    response = handler(asked, Context())
    assert (response["statusCode"], response["headers"]["Accept-Encoding"]) == (415, "identity")
    asked["headers"]["content-encoding"] = "identity"
    assert handler(asked, Context())["statusCode"] == 200


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "text",
        {},
        {"prices": [40.0] * 60},
        {"httpMethod": "POST", "path": "/predict", "requestContext": {"stage": "prod"}},  # payload 1.0
        {"rawPath": "/predict"},
        {"rawPath": 3, "requestContext": {"http": {"method": "POST"}}},
        {"rawPath": "/predict", "requestContext": {"http": {"method": None}}},
        {"rawPath": "/predict", "requestContext": {"http": {"method": "POST"}}, "body": {"prices": []}},
    ],
)
def test_what_is_no_event_of_an_http_api_is_400_and_says_so(wrong):
    response = handler(wrong, Context())
    problem = json.loads(response["body"])
    assert (response["statusCode"], problem["instance"]) == (400, "lambda-1")
    assert "API Gateway HTTP API, payload format 2.0" in problem["detail"]
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert response["headers"]["X-Request-Id"] == "lambda-1"
    with pytest.raises(Refusal):
        read(wrong)


def test_a_request_without_anything_optional_is_answered(walk):
    bare = {"rawPath": "/predict", "requestContext": {"http": {"method": "POST"}}, "body": json.dumps({"prices": walk})}
    assert handler(bare, None)["statusCode"] == 200
