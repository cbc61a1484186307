"""`make smoke` against the real server, behind the gates of a deployment, and against servers that are wrong."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import importlib.util
import json
import math
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.export.local.test_server import serving
from tests.infra.conftest import MODELS, OFFLINE, ROOT

SCRIPT = ROOT / "infra" / "smoke.py"
DIGEST = json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))["files"]["model.onnx"][:12]
SECRET = "made-up-for-this-test"
POLICY = "arn:aws:iam::123456789012:policy/demo-CallerPolicy"
CHECKS = ["health", "forecast", "refusal", "access", "latency"]

Change = Callable[[str, int, dict[str, str], Any], tuple[int, dict[str, str], Any]]


@pytest.fixture
def smoke() -> ModuleType:
    """infra/smoke.py, afresh for each test."""
    spec = importlib.util.spec_from_file_location("smoke", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Keys of this test's own."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "EFEMERA_BEARER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"ACCESS_KEY_ID": "AKID", "SECRET_ACCESS_KEY": SECRET, "DEFAULT_REGION": "sa-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def run(smoke, capsys):
    """Run it with few requests; return the exit code and its output."""

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            smoke.main(["--requests", "3", *arguments])
        said = capsys.readouterr()
        return end.value.code, said.out + said.err

    return run


@pytest.fixture(scope="module")
def real() -> Iterator[str]:
    """`efemera serve` with the project's own model."""
    with serving(MODELS) as (address, _):
        yield address


@contextlib.contextmanager
def gateway(real: str, let_in: Callable[[Any, bytes], bool] = lambda *_: True, change: Change | None = None):
    """A server before the real one: refuses whom `let_in` does not let in, and changes answers. Its address."""

    class Gateway(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, answer = 403, {"Content-Type": "application/json"}, {"message": "Forbidden"}
            if let_in(self, body):
                status, headers, answer = passed_on(real, self.path, body)
            if change:
                status, headers, answer = change(self.path, status, headers, answer)
            data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", headers["Content-Type"])
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 the standard library's name

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Gateway)) as address:
        yield address


@contextlib.contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[str]:
    with server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def passed_on(real: str, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
    request = urllib.request.Request(real + path, body or None, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, {"Content-Type": response.headers["Content-Type"]}, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {"Content-Type": error.headers["Content-Type"]}, json.load(error)


def signed(request: BaseHTTPRequestHandler, body: bytes) -> bool:
    """Return whether the request's signature is SigV4's, computed here step by step."""
    given = request.headers.get("Authorization", "")
    if not given.startswith("AWS4-HMAC-SHA256 "):
        return False
    fields = dict(part.strip().split("=", 1) for part in given.removeprefix("AWS4-HMAC-SHA256 ").split(","))
    moment, names = request.headers["X-Amz-Date"], fields["SignedHeaders"]
    scope = f"{moment[:8]}/sa-east-1/execute-api/aws4_request"
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names.split(";"))
    asked = "\n".join((request.command, request.path, "", headers, names, hashlib.sha256(body).hexdigest()))
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(asked.encode()).hexdigest()))
    key = b"AWS4" + SECRET.encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return fields["Credential"] == f"AKID/{scope}" and fields["Signature"] == key.hex() and "host" in names


def results(said: str) -> dict[str, str]:
    """Each check of the table and whether it is ok."""
    return {line.split()[1]: line.split()[0] for line in said.splitlines()[1:]}


def test_all_is_well_with_the_real_server(real, run):
    code, said = run("--url", real, "--open", "--expect-digest")
    assert code == 0, said
    assert said.startswith(f"{real} (open)\n")
    assert results(said) == dict.fromkeys(CHECKS, "ok")
    assert f"digest {DIGEST}" in said
    assert "golden windows within" in said
    assert "422, /prices " in said
    assert "of 3\n" in said


def test_requests_are_signed_as_aws_asks_and_a_stranger_is_refused(real, run, monkeypatch):
    with gateway(real, signed) as address:
        code, said = run("--url", address)
        assert code == 0, said
        assert "403 for a stranger" in said
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        assert run("--url", address)[0] == 2


def test_a_caller_who_may_not_ask_is_told_what_is_missing_and_the_release_is_not_blamed(real, run, monkeypatch):
    refusal = '403 for GET /health, {"message": "Forbidden"}: the caller may not ask; '
    monkeypatch.setenv("EFEMERA_BEARER", "old")
    with gateway(real, lambda *_: False) as address:
        signs = "attach the policy in the output CallerPolicyArn of its stack to who signs"
        assert run("--url", address) == (2, f"{address} (sigv4)\n{refusal}{signs}\n")
        token = "put a token that it takes into EFEMERA_BEARER"
        assert run("--url", address, "--bearer") == (2, f"{address} (bearer)\n{refusal}{token}\n")
        code, said = run("--url", address, "--open")  # which should let anyone in
    assert code == 3
    assert '403 instead of 200: {"message": "Forbidden"}' in said


def test_a_token_is_sent_where_the_api_takes_tokens(real, run, monkeypatch):
    monkeypatch.setenv("EFEMERA_BEARER", "e30.e30.e30")
    with gateway(real, lambda request, _: request.headers.get("Authorization") == "Bearer e30.e30.e30") as address:
        code, said = run("--url", address, "--bearer")
    assert code == 0, said


@pytest.mark.parametrize(
    ("parameters", "access"),
    [
        ({"PublicAccess": "closed", "JwtIssuer": ""}, "sigv4"),
        ({"PublicAccess": "closed", "JwtIssuer": "https://example.com"}, "bearer"),
        ({"PublicAccess": "open-to-anyone-on-the-internet", "JwtIssuer": ""}, "open"),
    ],
)
def test_a_stack_says_where_and_how_it_is_asked(real, run, monkeypatch, parameters, access):
    let_in = {
        "sigv4": signed,
        "bearer": lambda request, _: request.headers.get("Authorization") == "Bearer token",
        "open": lambda request, _: "Authorization" not in request.headers,
    }
    monkeypatch.setenv("EFEMERA_BEARER", "token")
    with gateway(real, let_in[access]) as address, mock_aws():
        for name, value in {"ACCESS_KEY_ID": "AKID", "SECRET_ACCESS_KEY": SECRET}.items():
            monkeypatch.setenv(f"AWS_{name}", value)  # moto has put its own there
        template = {
            "Parameters": {name: {"Type": "String"} for name in parameters},
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {"ApiUrl": {"Value": address}, "CallerPolicyArn": {"Value": POLICY}},
        }
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        boto3.client("cloudformation").create_stack(
            StackName="demo", TemplateBody=json.dumps(template), Parameters=given
        )
        code, said = run("--stack", "demo")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        refused = run("--stack", "demo")
        assert run("--stack", "nowhere") == (2, "stack nowhere: Stack with id nowhere does not exist\n")
    assert code == 0, said
    assert said.startswith(f"{address} ({access})\n")
    if access == "sigv4":
        assert refused[0] == 2
        assert f"attach the policy {POLICY} to who signs" in refused[1]


def unwell(path, status, headers, answer):
    return (503, headers, answer) if path == "/health" else (status, headers, answer)


def ill(path, status, headers, answer):
    return status, headers, {**answer, "status": "starting"} if path == "/health" else answer


def other_prices(path, status, headers, answer):
    if path == "/predict" and status == 200:
        answer["steps"][4]["intervals"]["95"][1] *= 1 + 1e-4
    return status, headers, answer


def other_median(path, status, headers, answer):
    if path == "/predict" and status == 200:
        answer["predicted_price"] *= 1 + 1e-4
    return status, headers, answer


def nothing_but_nan(path, status, headers, answer):
    if path == "/predict" and status == 200:
        answer["predicted_price"] = math.nan
    return status, headers, answer


def fewer_steps(path, status, headers, answer):
    if path == "/predict" and status == 200:
        answer["steps"].pop()
    return status, headers, answer


def another_form(path, status, headers, answer):
    return (status, headers, {"forecast": 1}) if path == "/predict" and status == 200 else (status, headers, answer)


def no_problem(_, status, headers, answer):
    return status, {"Content-Type": "application/json"} if status == 422 else headers, answer


def other_pointer(_, status, headers, answer):
    if status == 422:
        answer["errors"][0]["pointer"] = "/series"
    return status, headers, answer


def takes_anything(_, status, headers, answer):
    return (200 if status == 422 else status), headers, answer


def not_json(path, status, headers, answer):
    return (status, {"Content-Type": "text/html"}, "<html>") if path == "/health" else (status, headers, answer)


@pytest.mark.parametrize(
    ("change", "failing", "why"),
    [
        (unwell, {"health", "access"}, "503 instead of 200"),
        (ill, {"health"}, "status 'starting'"),
        (not_json, {"health"}, "an answer of another form"),
        (other_prices, {"forecast"}, "1.0e-04 away from PyTorch's answers"),
        (other_median, {"forecast"}, "1.0e-04 away from PyTorch's answers"),
        (nothing_but_nan, {"forecast"}, "nan away from PyTorch's answers"),
        (fewer_steps, {"forecast"}, "4 steps of 7 quantiles, not 5 of 7"),
        (another_form, {"forecast"}, "an answer of another form: no 'model_digest'"),
        (no_problem, {"refusal"}, "422 as application/json instead of application/problem+json"),
        (other_pointer, {"refusal"}, "422 points to '/series' instead of '/prices'"),
        (takes_anything, {"refusal"}, "200 instead of 422"),
    ],
)
def test_each_check_fails_where_its_answer_is_wrong(real, run, change, failing, why):
    with gateway(real, change=change) as address:
        code, said = run("--url", address, "--open")
    assert code == 3
    assert results(said) == {check: "FAILED" if check in failing else "ok" for check in CHECKS}
    assert why in said


def test_an_api_that_should_be_closed_and_is_open_fails(real, run):
    code, said = run("--url", real)
    assert (code, results(said)) == (3, {**dict.fromkeys(CHECKS, "ok"), "access": "FAILED"})
    assert "/health answers a request without sigv4 with 200" in said


def test_one_open_route_is_found(real, run):
    with gateway(real, lambda request, body: request.path == "/nowhere" or signed(request, body)) as address:
        code, said = run("--url", address)
    assert (code, results(said)) == (3, {**dict.fromkeys(CHECKS, "ok"), "access": "FAILED"})
    assert "/nowhere answers a request without sigv4 with 404" in said


def test_another_model_than_the_expected_one_fails_and_its_numbers_are_not_compared(real, run):
    def other_model(path, status, headers, answer):
        if status == 200:
            answer["model_digest"] = "0123456789ab"
        return other_prices(path, status, headers, answer)

    with gateway(real, change=other_model) as address:
        code, said = run("--url", address, "--open", "--expect-digest")
        assert (code, results(said)) == (3, {**dict.fromkeys(CHECKS, "ok"), "health": "FAILED"})
        assert f"model 0123456789ab is served, not {DIGEST}" in said
        assert "its numbers are not compared" in said
        assert run("--url", address, "--open", "--expect-digest", "0123456789ab")[0] == 0


def test_a_slow_api_fails(real, run):
    code, said = run("--url", real, "--open", "--slowest", "0")
    assert (code, results(said)) == (3, {**dict.fromkeys(CHECKS, "ok"), "latency": "FAILED"})
    assert "; at most 0 ms are allowed" in said


def test_where_nothing_answers_every_check_fails_in_a_line_and_no_release_is_blamed(run):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler, bind_and_activate=False) as server:
        server.server_bind()  # taken, but nobody listens
        code, said = run("--url", f"http://127.0.0.1:{server.server_address[1]}", "--open", "--wait", "0")
    *table, last = said.splitlines()
    assert (code, results("\n".join(table))) == (2, dict.fromkeys(CHECKS, "FAILED"))
    assert "Could not connect to the endpoint URL" in said
    assert last.endswith(" could not be asked from here: no answer of it was wrong")


@pytest.mark.parametrize(("change", "code"), [(None, 2), ("ill", 3)])
def test_a_wrong_answer_outweighs_a_connection_that_is_lost(real, run, smoke, monkeypatch, change, code):
    def lost(self, request):
        if "/predict" in request.url:
            raise smoke.BotoCoreError
        return send(self, request)

    send = smoke.URLLib3Session.send
    monkeypatch.setattr(smoke.URLLib3Session, "send", lost)
    with gateway(real, change=ill if change else None) as address:
        found, said = run("--url", address, "--open")
    assert found == code
    assert ("could not be asked" in said) == (code == 2)


def test_an_api_whose_name_is_not_known_yet_is_waited_for(real, run, smoke, monkeypatch):
    port = int(real.rpartition(":")[2])
    asked = []

    def not_yet(self, request):
        asked.append(request.url)
        if len(asked) == 1:
            raise smoke.EndpointConnectionError(endpoint_url=request.url)
        return send(self, request)

    send = smoke.URLLib3Session.send
    monkeypatch.setattr(smoke.URLLib3Session, "send", not_yet)
    monkeypatch.setattr(smoke.time, "sleep", lambda _: None)
    code, said = run("--url", f"http://127.0.0.1:{port}", "--open")
    assert code == 0, said
    assert asked[0] == asked[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--url", "http://example.com"), "http://example.com: not https, nor http on 127.0.0.1 or localhost"),
        (("--url", "127.0.0.1:8000"), "127.0.0.1:8000: not https"),
        (("--url", "https://example.com", "--bearer"), "EFEMERA_BEARER holds no token"),
        (("--url", "https://example.com", "--models", "nowhere"), "nowhere: no golden.json and manifest.json"),
        (("--url", "https://example.com", "--requests", "0"), "0 is not a number of requests"),
        (("--url", "https://example.com", "--open", "--bearer"), "not allowed with argument"),
        ((), "one of the arguments --stack --url is required"),
    ],
)
def test_bad_input_is_named_and_nothing_is_asked(run, arguments, message):
    code, said = run(*arguments)
    assert code == 2
    assert message in said


def test_without_credentials_it_says_so_in_one_line():
    command = [sys.executable, "-W", "error", SCRIPT, "--url", "https://example.com"]
    done = subprocess.run(command, env=OFFLINE, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "there are no AWS credentials to sign with (or say --open or --bearer)\n"
