"""The built function in AWS's runtime emulator: by `sam local invoke`, and over HTTP by `sam local start-api`."""

from __future__ import annotations

import base64
import collections
import gzip
import http.client
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import MODELS, OFFLINE, ROOT, SAM_BIN
from tests.infra.test_events import EVENTS, load

pytestmark = pytest.mark.docker

Invoke = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="session")
def invoke(lambda_base: list[str], built: Path) -> Invoke:
    """The function's answer to one of tests/events, its body decoded."""

    def invoked(name: str) -> dict[str, Any]:
        command = [SAM_BIN / "sam", "local", "invoke", "ApiFunction", *lambda_base, "-t", built / "template.yaml"]
        run = subprocess.run(
            [*command, "-e", EVENTS / f"{name}.json"],
            env=OFFLINE, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        answer = json.loads(run.stdout.splitlines()[-1])
        body = gzip.decompress(base64.b64decode(answer["body"])) if answer["isBase64Encoded"] else answer["body"]
        return {**answer, "body": json.loads(body)}

    return invoked


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Forecast of `efemera predict` for the event's prices, with the model that was built in."""
    prices = json.loads(load("predict")["body"])["prices"]
    folder = tmp_path_factory.mktemp("prices")
    rows = [f"MADE,{date(2026, 1, 1) + timedelta(day)},{price}" for day, price in enumerate(prices)]
    (folder / "prices.csv").write_text("\n".join(["unique_id,ds,y", *rows, ""]), encoding="utf-8")
    command = [Path(sys.executable).with_name("efemera"), "predict", "--prices", folder / "prices.csv"]
    run = subprocess.run([*command, "--model", MODELS, "--json"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)["forecasts"][0]


def same_forecast(answer: dict[str, Any], predicted: dict[str, Any]) -> None:
    """Equal to the last bit, not nearly: one window, one onnxruntime and one processor give one answer.

    A tolerance would hide a price that was rounded, or read as float32, on one of the two ways.
    """
    assert answer["model_digest"] == predicted["model_digest"]
    assert answer["predicted_price"] == predicted["predicted_price"]
    told, expected = answer["steps"], predicted["steps"]
    assert [(step["median"], step["intervals"]) for step in told] == [
        (step["median"], step["intervals"]) for step in expected
    ]


def test_lambda_answers_the_very_number_that_the_command_line_gives(invoke, predicted):
    answer = invoke("predict")
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (200, "application/json")
    same_forecast(answer["body"], predicted)


def test_a_base64_body_gives_the_same_forecast(invoke, predicted):
    answer = invoke("predict_base64")
    assert answer["statusCode"] == 200
    same_forecast(answer["body"], predicted)


def test_several_series_are_answered_or_refused_each_and_dated(invoke, predicted):
    answer = invoke("predict_series")
    assert answer["statusCode"] == 200
    good, bad = answer["body"]["forecasts"]
    assert (good["id"], good["predicted_price"]) == ("PETR4", predicted["predicted_price"])
    assert [step["date"] for step in good["steps"]] == ["2026-11-23", "2026-11-24"]  # B3 is closed on 20 November
    assert (bad["id"], bad["error"]["errors"][0]["pointer"]) == ("SHORT", "/series/1/prices")


def test_a_request_that_is_wrong_is_told_where(invoke):
    answer = invoke("predict_invalid")
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (422, "application/problem+json")
    assert answer["body"]["status"] == 422
    assert answer["body"]["instance"] == load("predict_invalid")["requestContext"]["requestId"]
    assert {fault["pointer"] for fault in answer["body"]["errors"]} == {"/prices/3", "/horizn"}


@pytest.mark.parametrize(
    ("name", "status", "slug"),
    [
        ("predict_malformed", 400, "malformed-body"),
        ("unknown_path", 404, "not-found"),
        ("predict_wrong_method", 405, "method-not-allowed"),
    ],
)
def test_what_is_no_prediction_is_a_problem(invoke, name, status, slug):
    answer = invoke(name)
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (status, "application/problem+json")
    assert answer["body"]["type"].endswith(f"/problems/{slug}")


def test_a_tensor_is_answered_with_the_same_forecast(invoke, predicted):
    answer = invoke("infer")
    assert answer["statusCode"] == 200
    price, quantiles = answer["body"]["outputs"]
    assert price["data"] == [predicted["predicted_price"]]
    assert [quantiles["data"][3 + 7 * step] for step in range(5)] == [step["median"] for step in predicted["steps"]]


def test_the_model_card_is_that_of_the_model_that_was_built_in(invoke):
    answer = invoke("model_card")
    assert answer["statusCode"] == 200
    assert answer["body"]["manifest"] == json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))


def test_health_names_the_model_that_was_built_in(invoke):
    answer = invoke("health")
    manifest = json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))
    assert answer["statusCode"] == 200
    assert answer["body"]["status"] == "ok"
    assert answer["body"]["model_version"] == manifest["model_version"]
    assert answer["body"]["model_digest"] == manifest["files"]["model.onnx"][:12]


@pytest.fixture(scope="module")
def api(lambda_base: list[str], built: Path) -> Iterator[tuple[str, int]]:
    """Host and port of the template's API under `sam local start-api`; the system gives the port."""
    command = [SAM_BIN / "sam", "local", "start-api", *lambda_base, "-t", built / "template.yaml", "--port", "0"]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=OFFLINE, text=True, **streams) as process:
        limit = threading.Timer(300, process.kill)  # ends every wait below
        limit.start()
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                if found := re.search(r"Running on http://([\d.]+):(\d+)", line):
                    break
            else:
                pytest.fail(f"sam local start-api ended:\n{''.join(said)}")
            reader = threading.Thread(target=collections.deque, args=(process.stderr, 0))  # a full pipe would block it
            reader.start()
            yield found[1], int(found[2])
        finally:
            process.terminate()
            process.wait()
            limit.cancel()
        reader.join()


def ask(api: tuple[str, int], method: str, path: str, body: str | None = None) -> tuple[int, str, dict[str, Any]]:
    """Status, content type and decoded body of one real HTTP request."""
    connection = http.client.HTTPConnection(*api, timeout=120)
    try:
        connection.request(method, path, body, {"content-type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, response.headers["content-type"], json.loads(response.read())
    finally:
        connection.close()


def test_a_post_over_http_is_answered_with_the_same_forecast(api, predicted):
    status, kind, body = ask(api, "POST", "/predict", load("predict")["body"])
    assert (status, kind) == (200, "application/json")
    same_forecast(body, predicted)


def test_a_path_without_a_route_reaches_the_handler_over_http(api):
    status, kind, body = ask(api, "GET", "/forecast")
    assert (status, kind, body["status"]) == (404, "application/problem+json", 404)
