"""The local server: real HTTP in, the handler's own answer out."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from export.errors import InputError
from export.server import LARGEST_BODY, event_of, listen


@pytest.fixture(scope="module")
def server(model):
    """`efemera serve --port 0` in a process of its own; its address and process."""
    command = [sys.executable, "-W", "error", "-m", "export", "serve", "--port", "0", "--model", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        yield next(word for word in line.split() if word.startswith("http://")), process
        if process.poll() is None:
            process.kill()


def ask(url, body=None, headers=None, method=None):
    request = urllib.request.Request(url, body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_it_answers_what_the_handler_answers(server, model):
    prices = [40 + 0.1 * (day % 7) for day in range(60)]
    body = json.dumps({"prices": prices}).encode()
    status, headers, found = ask(f"{server[0]}/predict", body, {"Content-Type": "application/json"})
    assert status == 200
    assert headers["content-type"] == "application/json"
    import numpy as np

    from lambda_fn.forecaster import Forecaster

    expected = Forecaster(model).quantiles(np.array([prices]))[0, 0, 3]
    assert json.loads(found)["predicted_price"] == expected


def test_problems_come_through_with_status_and_headers(server):
    status, headers, found = ask(f"{server[0]}/predict", b'{"prices": [1]}', {"Content-Type": "application/json"})
    assert status == 422
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(found)["errors"][0]["pointer"] == "/prices"
    status, headers, _ = ask(f"{server[0]}/predict")
    assert (status, headers["allow"]) == (405, "POST")
    assert ask(f"{server[0]}/nowhere")[0] == 404
    assert ask(f"{server[0]}/predict", b"a=1", {"Content-Type": "application/x-www-form-urlencoded"})[0] == 415


def test_bytes_that_are_no_text_are_a_bad_request_not_a_crash(server):
    status, _, found = ask(f"{server[0]}/predict", b"\xff\xfe\x00", {"Content-Type": "application/json"})
    assert status == 400
    assert "not JSON" in json.loads(found)["detail"]


def test_a_body_over_lambdas_limit_is_413(server):
    status, _, _ = ask(f"{server[0]}/predict", b" " * (LARGEST_BODY + 1), {"Content-Type": "application/json"})
    assert status == 413
    assert ask(f"{server[0]}/health")[0] == 200


def test_ctrl_c_ends_it_cleanly(server):
    _, process = server
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert "ended" in process.stdout.read()


def test_a_port_in_use_is_one_clear_line():
    with listen("127.0.0.1", 0) as taken, pytest.raises(InputError, match=r"--port \d+: can't listen on 127.0.0.1"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_an_event_is_what_api_gateway_sends():
    """Against a recorded event's own fields: the payload 2.0 of tests/events."""
    recorded = json.loads((Path(__file__).parent.parent / "events" / "predict.json").read_text())
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "query_string": b"a=1",
        "http_version": "1.1",
        "headers": [(b"Content-Type", b"application/json"), (b"accept", b"a"), (b"accept", b"b")],
        "client": ("127.0.0.1", 5),
    }
    event = event_of(scope, b"{}", "id-1")
    assert set(event) <= {*recorded, "body"}
    assert set(event["requestContext"]) <= set(recorded["requestContext"])
    assert set(event["requestContext"]["http"]) == set(recorded["requestContext"]["http"])
    assert event["headers"]["accept"] == "a,b"
    assert event["rawQueryString"] == "a=1"
    assert event["isBase64Encoded"] is False
