"""Asks a deployed API whether it answers as it should: `make smoke [STACK=…]`, or `--url` with any address.

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
    """What was asked for can't be done; one line."""


class Target(NamedTuple):
    """An API, and how it is to be asked."""

    url: str
    access: str  # sigv4, bearer or open
    policy: str  # which lets a caller in, where a stack says it


class Failed(Exception):
    """A check found something else than what must be."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    kind: str  # the media type
    body: Any  # decoded, where it is JSON

    def must_be(self, status: int) -> Answer:
        """Itself, if its status is this one."""
        if self.status != status:
            raise Failed(f"{self.status} instead of {status}: {json.dumps(self.body)[:200]}")
        return self


class Client:
    """Sends requests to one API, each of them signed or with the token, over one connection that is kept."""

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

    def ask(self, path: str, body: Any = None, proven: bool = True) -> Answer:
        """GET, or POST where there is a body; without `proven` as a stranger would."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        request = AWSRequest("POST" if data else "GET", self.url + path, headers, data)
        if proven and self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        if proven and self.credentials:
            SigV4Auth(self.credentials, "execute-api", self.region).add_auth(request)
        answer = self.session.send(request.prepare())
        try:
            decoded = json.loads(answer.content)
        except ValueError:
            decoded = answer.text
        return Answer(answer.status_code, answer.headers.get("Content-Type", "").partition(";")[0], decoded)


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
        "health": lambda: health(client, target, expected, options.wait),
        "forecast": lambda: forecast(client, golden, digest),
        "refusal": lambda: refusal(client),
        "access": lambda: unproven(client),
        "latency": lambda: latency(client, golden, options.requests, options.slowest),
    }
    print(f"{target.url} ({target.access})")
    try:
        failed, unanswered = run(checks)
    except Unusable as unusable:
        print(unusable, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    if unanswered and not failed:
        print(f"{target.url} could not be asked from here: no answer of it was wrong", file=sys.stderr)
    sys.exit(3 if failed else 2 if unanswered else 0)


def run(checks: dict[str, Callable[[], str]]) -> tuple[int, int]:
    """How many checks an answer failed, and how many the network did; raises `Unusable`."""
    failed = unanswered = 0
    for name, check in checks.items():
        try:
            result, found = "ok", check()
        except BotoCoreError as error:
            result, found = "FAILED", str(error)
            unanswered += 1
        except (Failed, KeyError, TypeError, ValueError, IndexError) as error:
            result, found = (
                "FAILED",
                str(error) if isinstance(error, Failed) else f"an answer of another form: no {error}",
            )
            failed += 1
        print(f"{result:6}  {name:8}  {found}", flush=True)
    return failed, unanswered


def health(client: Client, target: Target, digest: str | None, wait: float) -> str:
    """GET /health is 200 and names the model, which is the one expected."""
    answer = _first(lambda: client.ask("/health"), wait)
    if answer.status in (401, 403) and target.access != "open":
        means = {
            "sigv4": f"attach the policy {target.policy or 'in the output CallerPolicyArn of its stack'} to who signs",
            "bearer": "put a token that it takes into EFEMERA_BEARER",
        }
        said = json.dumps(answer.body)[:200]
        raise Unusable(f"{answer.status} for GET /health, {said}: the caller may not ask; {means[target.access]}")
    body = answer.must_be(200).body
    if body["status"] != "ok":
        raise Failed(f"status {body['status']!r}")
    if digest and body["model_digest"] != digest:
        raise Failed(f"model {body['model_digest']} is served, not {digest}")
    return f"model {body['model_version']}, digest {body['model_digest']}, {body['verdict']}"


def forecast(client: Client, golden: dict[str, Any], digest: str) -> str:
    """POST /predict is 200, with PyTorch's own numbers where the model is that of the golden windows."""
    differences: list[float] = []
    for prices, expected in zip(golden["prices"], golden["quantiles"], strict=True):
        body = client.ask("/predict", {"prices": prices}).must_be(200).body
        if body["model_digest"] != digest:
            return f"{body['predicted_price']:.6g}; not the model in models/, so its numbers are not compared"
        found = [sorted([step["median"], *chain(*step["intervals"].values())]) for step in body["steps"]]
        if [len(step) for step in found] != [len(step) for step in expected]:
            raise Failed(f"{len(found)} steps of {len(found[0])} quantiles, not {len(expected)} of {len(expected[0])}")
        wanted = [*chain(*expected), expected[0][len(expected[0]) // 2]]
        given = [*chain(*found), body["predicted_price"]]
        differences += [abs(one / other - 1) for one, other in zip(given, wanted, strict=True)]
    worst, tolerance = (
        max(differences, key=lambda one: math.inf if math.isnan(one) else one),
        golden["relative_tolerance"],
    )
    if not worst <= tolerance:
        raise Failed(f"{worst:.1e} away from PyTorch's answers; {tolerance:.1e} is allowed")
    return f"{len(golden['prices'])} golden windows within {worst:.1e} of PyTorch's answers"


def refusal(client: Client) -> str:
    """A bad request is told what is wrong with it, and where."""
    answer = client.ask("/predict", {"prices": [1]}).must_be(422)
    if answer.kind != "application/problem+json":
        raise Failed(f"422 as {answer.kind or 'no type'} instead of application/problem+json")
    (error,) = answer.body["errors"]
    if error["pointer"] != "/prices":
        raise Failed(f"422 points to {error['pointer']!r} instead of '/prices'")
    return f"422, {error['pointer']} {error['detail']}"


def unproven(client: Client) -> str:
    """A stranger is refused by every route, unless the API is open."""
    if client.access == "open":
        client.ask("/health", proven=False).must_be(200)
        return "open to anyone"
    for path, body in (("/health", None), ("/predict", {"prices": [1]}), ("/nowhere", None)):
        answer = client.ask(path, body, proven=False)
        if answer.status not in (401, 403):
            raise Failed(f"{path} answers a request without {client.access} with {answer.status}")
    return f"{answer.status} for a stranger"


def latency(client: Client, golden: dict[str, Any], requests: int, slowest: float) -> str:
    """Warm requests, one after another, from where this runs."""
    taken = []
    for number in range(requests):
        start = time.perf_counter()
        client.ask("/predict", {"prices": golden["prices"][number % len(golden["prices"])]}).must_be(200)
        taken.append((time.perf_counter() - start) * 1000)
    late = sorted(taken)[math.ceil(0.95 * requests) - 1]
    told = f"median {statistics.median(taken):.0f} ms, 95% within {late:.0f} ms, of {requests}"
    if late > slowest:
        raise Failed(f"{told}; at most {slowest:.0f} ms are allowed")
    return told


def _first(ask: Callable[[], Answer], wait: float) -> Answer:
    """The first answer, whatever it is; asked again only while nothing takes the connection."""
    end = time.monotonic() + wait
    while True:
        try:
            return ask()
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
    """What is to be asked, and how; raises `Unusable`."""
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
        given = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack.get("Parameters", [])}
        if not options.access and given.get("PublicAccess", "closed") != "closed":
            access = "open"
        elif not options.access and given.get("JwtIssuer"):
            access = "bearer"
    parts = urlsplit(url)
    if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in LOCAL):
        raise Unusable(f"{url}: not https, nor http on {' or '.join(LOCAL)}")
    return Target(url, access, policy)


def _model(folder: Path) -> tuple[dict[str, Any], str]:
    """The golden windows of a model with PyTorch's answers, and the model's digest."""
    try:
        golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return golden, manifest["files"]["model.onnx"][:12]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unusable(f"{folder}: no golden.json and manifest.json of an exported model there ({error})") from None


if __name__ == "__main__":
    main()
