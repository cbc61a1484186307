"""Smoke test of a deployed API: `make smoke [STACK=…]`, or `--url` with any address.

Run with the Python of .venv-sam. Requests are signed with SigV4 by the environment's credentials, or carry the token in
EFEMERA_BEARER (`--bearer`), or neither (`--open`); with `--stack` the stack's parameters say which. No answer is asked
for twice, so that a flaw stays seen: a 5xx fails. Only while there is no connection at all does the first request wait,
at most `--wait` seconds, as the name of a new API takes moments to be known. Exit codes: 0 all well; 2 bad input, or it
could not be asked (no right to, no connection); 3 an answer was not what it must be.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import socket
import statistics
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ("127.0.0.1", "localhost")
SLOWEST_MS = 3000.0  # for 95% of warm requests, the way there and back included: ten times what is usual
TIMEOUT_S = 35  # API Gateway gives up after 30


class Unusable(Exception):
    """The smoke test can't be run, for one reason that its message says."""


class Target(NamedTuple):
    """Address of an API, and how its callers identify themselves."""

    url: str
    access: str  # sigv4, bearer or open
    policy: str  # which lets a caller in, where a stack says it


class Failed(Exception):
    """A response was not what it must be."""


class Response(NamedTuple):
    """HTTP response."""

    status: int
    media_type: str
    body: Any  # decoded, where it is JSON

    def expect(self, status: int) -> Response:
        """Return itself; raises `Failed` when its status is another one."""
        if self.status != status:
            raise Failed(f"{self.status} instead of {status}: {json.dumps(self.body)[:200]}")
        return self


class Client:
    """HTTP client of one API: signs each request or sends the token, over one connection that is kept."""

    def __init__(self, url: str, access: str) -> None:
        self.url, self.access = url.rstrip("/"), access
        # botocore sends head and body apart: with Nagle's algorithm the body would wait 40 ms for the head's receipt.
        at_once = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        self.session = URLLib3Session(proxies=get_environ_proxies(url), timeout=TIMEOUT_S, socket_options=at_once)
        self.credentials, self.region = None, ""
        self.token = os.environ.get("EFEMERA_BEARER", "") if access == "bearer" else ""
        if access == "bearer" and not self.token:
            raise Unusable("--bearer: the environment's EFEMERA_BEARER holds no token")
        if access == "sigv4":
            session = _session()
            self.credentials = session.get_credentials()
            if self.credentials is None:
                raise Unusable("there are no AWS credentials to sign with (or say --open or --bearer)")
            named = re.search(r"\.execute-api\.([a-z0-9-]+)\.", url)
            self.region = named[1] if named else session.region_name
            if not self.region:
                raise Unusable("no region: set AWS_REGION")

    def request(self, path: str, body: Any = None, authenticated: bool = True) -> Response:
        """Send a GET, or a POST where there is a body; neither signed nor with the token unless `authenticated`."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        request = AWSRequest("POST" if data else "GET", self.url + path, headers, data)
        if authenticated and self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        if authenticated and self.credentials:
            SigV4Auth(self.credentials, "execute-api", self.region).add_auth(request)
        response = self.session.send(request.prepare())
        try:
            decoded = json.loads(response.content)
        except ValueError:
            decoded = response.text
        return Response(response.status_code, response.headers.get("Content-Type", "").partition(";")[0], decoded)


def main(arguments: list[str] | None = None) -> None:
    """Run the checks in turn and print a line for each."""
    options = _options(arguments)
    try:
        target = _target(options)
        golden, digest = _model(options.models)
        expected = digest if options.expect_digest == "" else options.expect_digest
        client = Client(target.url, target.access)
    except (Unusable, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    checks: dict[str, Callable[[], str]] = {
        "health": lambda: check_health(client, target, expected, options.wait),
        "forecast": lambda: check_forecasts(client, golden, digest),
        "refusal": lambda: check_refusal(client),
        "access": lambda: check_access(client),
        "latency": lambda: check_latency(client, golden, options.requests, options.slowest),
    }
    print(f"{target.url} ({target.access})")
    try:
        failed, unanswered = run_checks(checks)
    except Unusable as unusable:
        print(unusable, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    if unanswered and not failed:
        print(f"{target.url} could not be asked from here: no answer of it was wrong", file=sys.stderr)
    sys.exit(3 if failed else 2 if unanswered else 0)


def run_checks(checks: dict[str, Callable[[], str]]) -> tuple[int, int]:
    """Run the checks; return how many failed by a response, and how many by the network. Raises `Unusable`."""
    failed = unanswered = 0
    for name, check in checks.items():
        try:
            result, text = "ok", check()
        except BotoCoreError as error:
            result, text = "FAILED", str(error)
            unanswered += 1
        except (Failed, KeyError, TypeError, ValueError, IndexError) as error:
            result = "FAILED"
            text = str(error) if isinstance(error, Failed) else f"an answer of another form: no {error}"
            failed += 1
        print(f"{result:6}  {name:8}  {text}", flush=True)
    return failed, unanswered


def check_health(client: Client, target: Target, digest: str | None, wait: float) -> str:
    """Check that GET /health is 200 and names the expected model."""
    response = _first_response(lambda: client.request("/health"), wait)
    if response.status in (401, 403) and target.access != "open":
        means = {
            "sigv4": f"attach the policy {target.policy or 'in the output CallerPolicyArn of its stack'} to who signs",
            "bearer": "put a token that it takes into EFEMERA_BEARER",
        }
        shown = json.dumps(response.body)[:200]
        raise Unusable(f"{response.status} for GET /health, {shown}: the caller may not ask; {means[target.access]}")
    body = response.expect(200).body
    if body["status"] != "ok":
        raise Failed(f"status {body['status']!r}")
    if digest and body["model_digest"] != digest:
        raise Failed(f"model {body['model_digest']} is served, not {digest}")
    return f"model {body['model_version']}, digest {body['model_digest']}, {body['verdict']}"


def check_forecasts(client: Client, golden: dict[str, Any], digest: str) -> str:
    """Check that POST /predict is 200, with PyTorch's own numbers where the model is that of the golden windows."""
    differences: list[float] = []
    for prices, expected in zip(golden["prices"], golden["quantiles"], strict=True):
        body = client.request("/predict", {"prices": prices}).expect(200).body
        if body["model_digest"] != digest:
            return f"{body['predicted_price']:.6g}; not the model in models/, so its numbers are not compared"
        steps = [sorted([step["median"], *chain(*step["intervals"].values())]) for step in body["steps"]]
        if [len(step) for step in steps] != [len(step) for step in expected]:
            raise Failed(f"{len(steps)} steps of {len(steps[0])} quantiles, not {len(expected)} of {len(expected[0])}")
        golden_prices = [*chain(*expected), expected[0][len(expected[0]) // 2]]
        prices_served = [*chain(*steps), body["predicted_price"]]
        differences += [abs(a / b - 1) for a, b in zip(prices_served, golden_prices, strict=True)]
    worst = max(differences, key=lambda difference: math.inf if math.isnan(difference) else difference)
    tolerance = golden["relative_tolerance"]
    if not worst <= tolerance:
        raise Failed(f"{worst:.1e} away from PyTorch's answers; {tolerance:.1e} is allowed")
    return f"{len(golden['prices'])} golden windows within {worst:.1e} of PyTorch's answers"


def check_refusal(client: Client) -> str:
    """Check that a bad request is 422 as problem details with a pointer."""
    response = client.request("/predict", {"prices": [1]}).expect(422)
    if response.media_type != "application/problem+json":
        raise Failed(f"422 as {response.media_type or 'no type'} instead of application/problem+json")
    (error,) = response.body["errors"]
    if error["pointer"] != "/prices":
        raise Failed(f"422 points to {error['pointer']!r} instead of '/prices'")
    return f"422, {error['pointer']} {error['detail']}"


def check_access(client: Client) -> str:
    """Check that every route refuses a caller without credentials, unless the API is open."""
    if client.access == "open":
        client.request("/health", authenticated=False).expect(200)
        return "open to anyone"
    for path, body in (("/health", None), ("/predict", {"prices": [1]}), ("/nowhere", None)):
        response = client.request(path, body, authenticated=False)
        if response.status not in (401, 403):
            raise Failed(f"{path} answers a request without {client.access} with {response.status}")
    return f"{response.status} for a stranger"


def check_latency(client: Client, golden: dict[str, Any], requests: int, slowest: float) -> str:
    """Measure warm requests, one after another, from where this runs (ms)."""
    milliseconds = []
    for number in range(requests):
        start = time.perf_counter()
        client.request("/predict", {"prices": golden["prices"][number % len(golden["prices"])]}).expect(200)
        milliseconds.append((time.perf_counter() - start) * 1000)
    late = sorted(milliseconds)[math.ceil(0.95 * requests) - 1]
    figures = f"median {statistics.median(milliseconds):.0f} ms, 95% within {late:.0f} ms, of {requests}"
    if late > slowest:
        raise Failed(f"{figures}; at most {slowest:.0f} ms are allowed")
    return figures


def _first_response(send: Callable[[], Response], wait: float) -> Response:
    """Send until something takes the connection, at most `wait` seconds; return that response, whatever it is."""
    end = time.monotonic() + wait
    while True:
        try:
            return send()
        except EndpointConnectionError:
            if time.monotonic() >= end:
                raise
            time.sleep(1)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Ask a deployed API whether it answers as it should.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--stack", help="the stack's name: its outputs and parameters say where and how to ask")
    where.add_argument("--url", help="an address: https, or http on this machine")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--open", action="store_const", const="open", dest="access", help="the API asks for nothing")
    how.add_argument("--bearer", action="store_const", const="bearer", dest="access", help="send EFEMERA_BEARER")
    parser.add_argument("--expect-digest", nargs="?", const="", metavar="DIGEST", help="of the model; [of --models]")
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("EFEMERA_MODELS") or ROOT / "models"))
    parser.add_argument("--requests", type=_count, default=20, metavar="N", help="whose latency is measured [20]")
    parser.add_argument("--slowest", type=float, default=SLOWEST_MS, metavar="MS", help=f"[{SLOWEST_MS:.0f}]")
    parser.add_argument("--wait", type=float, default=60, metavar="S", help="for a first connection [60]")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of requests, 1 or more")
    return int(text)


def _session() -> boto3.Session:
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)


def _target(options: argparse.Namespace) -> Target:
    """Find the API that the options name, and how to authenticate; raises `Unusable`."""
    url, access, policy = options.url, options.access or "sigv4", ""
    if options.stack:
        try:
            (stack,) = _session().client("cloudformation").describe_stacks(StackName=options.stack)["Stacks"]
        except ClientError as error:
            raise Unusable(f"stack {options.stack}: {error.response['Error']['Message']}") from None
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        url, policy = outputs.get("ApiUrl"), outputs.get("CallerPolicyArn", "")
        if not url:
            raise Unusable(f"stack {options.stack} has no output ApiUrl; is it one of Efemera's?")
        parameters = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack.get("Parameters", [])}
        if not options.access and parameters.get("PublicAccess", "closed") != "closed":
            access = "open"
        elif not options.access and parameters.get("JwtIssuer"):
            access = "bearer"
    parts = urlsplit(url)
    if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in LOCAL):
        raise Unusable(f"{url}: not https, nor http on {' or '.join(LOCAL)}")
    return Target(url, access, policy)


def _model(folder: Path) -> tuple[dict[str, Any], str]:
    """Read a model's golden windows with PyTorch's answers, and its digest."""
    try:
        golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return golden, manifest["files"]["model.onnx"][:12]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unusable(f"{folder}: no golden.json and manifest.json of an exported model there ({error})") from None


if __name__ == "__main__":
    main()
