"""The local server: real HTTP in, the handler's own answer out."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from export.errors import InputError
from export.local.server import LARGEST_BODY, event_of, listen


@contextlib.contextmanager
def started(model, *options, port=0):
    """`efemera serve` in a process of its own, which ends with the `with`, or when a test has waited far too long."""
    command = [sys.executable, "-W", "error", "-m", "export", "serve", "--port", str(port), "--model", str(model)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}  # as a user's
    with subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE, text=True) as process:
        limit = threading.Timer(300, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


@contextlib.contextmanager
def serving(model, *options):
    """`efemera serve` on a free port: its address, once it is ready, and the process."""
    with started(model, *options) as process:
        yield address_in(process.stdout.readline()), process


def address_in(line):
    return next(word for word in line.split() if word.startswith("http://"))


@pytest.fixture(scope="module")
def server(model):
    with serving(model) as running:
        yield running


def ask(url, body=None, headers=None, method=None):
    request = urllib.request.Request(url, body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


@pytest.mark.slow
def test_it_answers_what_the_handler_answers(server, model):
    prices = [40 + 0.1 * (day % 7) for day in range(60)]
    body = json.dumps({"prices": prices}).encode()
    status, headers, found = ask(f"{server[0]}/predict", body, {"Content-Type": "application/json"})
    assert status == 200
    assert headers["content-type"] == "application/json"
    import numpy as np

    from lambda_fn.model.forecaster import Forecaster

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


def test_until_the_model_is_verified_it_lives_and_is_not_ready(monkeypatch):
    from export.commands.serve import starting
    from export.local.server import lambda_context

    monkeypatch.setenv("EFEMERA_BASE_PATH", "/prod")

    def asked(path, method="GET"):
        found = starting({"rawPath": path, "requestContext": {"http": {"method": method}}}, lambda_context("id-1"))
        assert found["headers"]["X-Request-Id"] == "id-1"
        return found

    for path in ("/predict", "/health", "/v2/health/ready", "/prod/v2/models/efemera/ready", "/x/v2/health/live"):
        found = asked(path)
        assert (found["statusCode"], found["headers"]["Retry-After"]) == (503, "1")
        problem = json.loads(found["body"])
        assert (problem["instance"], problem["detail"]) == ("id-1", "the model is being verified")
        assert problem["error"] == problem["detail"]
    for path in ("/v2/health/live", "/prod/v2/health/live"):
        assert asked(path)["statusCode"] == asked(path, "HEAD")["statusCode"] == 200
        assert asked(path, "POST")["statusCode"] == 503


@pytest.mark.slow
def test_its_port_is_open_before_the_model_is_ready(model, tmp_path):
    """A manifest that comes through a pipe holds the verification up for as long as the test likes."""
    slow = shutil.copytree(model, tmp_path / "slow")
    manifest = (slow / "manifest.json").read_bytes()
    (slow / "manifest.json").unlink()
    os.mkfifo(slow / "manifest.json")
    port = free_port()
    with started(slow, port=port) as process:
        while process.poll() is None:
            with contextlib.suppress(urllib.error.URLError):
                status, headers, _ = ask(f"http://127.0.0.1:{port}/health")
                break
        assert (status, headers["retry-after"]) == (503, "1")
        assert ask(f"http://127.0.0.1:{port}/v2/health/live")[0] == 200
        (slow / "manifest.json").write_bytes(manifest)
        assert process.stdout.readline().startswith("Efemera answers on")
        assert ask(f"http://127.0.0.1:{port}/health")[0] == 200


def free_port():
    with listen("127.0.0.1", 0) as taken:
        return taken.getsockname()[1]


@pytest.mark.slow
def test_a_model_that_is_refused_ends_it_with_the_file_and_the_reason(model, tmp_path):
    broken = shutil.copytree(model, tmp_path / "broken")
    (broken / "golden.json").write_bytes(b"{}")
    command = [sys.executable, "-m", "export", "serve", "--port", "0", "--model", str(broken)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{broken / 'golden.json'}: not the file that manifest.json names" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_its_log_is_shown_on_request(model):
    with started(model, "--log") as process:
        assert json.loads(process.stdout.readline())["message"] == "ready"
        assert ask(f"{address_in(process.stdout.readline())}/health")[0] == 200
        assert json.loads(process.stdout.readline())["route"] == "/health"


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
    recorded = json.loads((Path(__file__).parent.parent.parent / "events" / "predict.json").read_text())
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
