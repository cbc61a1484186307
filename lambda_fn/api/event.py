"""Read a Lambda event into the request that the API answers: API Gateway's HTTP API, payload format 2.0.

The only file that knows what an event looks like: another kind of event is another struct here, another way in
`read_event` to a `Request`.
"""

from __future__ import annotations

import os
from collections.abc import Container
from typing import Any

import msgspec

from lambda_fn.api.problem_details import Refusal
from lambda_fn.model.forecaster import Inference

BASE_PATH = "/" + (os.environ.get("EFEMERA_BASE_PATH") or "").strip("/")  # of a custom domain's mapping, or a proxy's
LONGEST_REQUEST_ID = 128
JSON = "application/json"
UNROUTED = "none"  # the route of a request that has none, in a log line


class Request(msgspec.Struct):
    """One request while it is answered: its HTTP parts, the model for it, what a log line will say."""

    id: str
    inference: Inference
    method: str = ""
    path: str = ""  # within the API: without stage and base path
    base: str = ""  # what stands before the API's paths
    headers: dict[str, str] = {}
    body: str = ""
    is_base64_encoded: bool = False
    route: str = UNROUTED  # or one of the API's own paths
    refusals: dict[str, int] = {}  # reason → how many series, or the one request

    def header(self, name: str) -> str | None:
        """Return a header by its name in small letters: API Gateway sends it so, `sam local` as the client wrote it."""
        if name in self.headers:
            return self.headers[name]
        if "".join(self.headers).islower():
            return None
        return next((value for key, value in self.headers.items() if key.lower() == name), None)

    def json_body(self) -> bytes:
        """Return the body as bytes. Raises `Refusal`: 415 unless its headers say plain JSON, 400 on bad base64."""
        kind = (self.header("content-type") or JSON).partition(";")[0].strip().lower()
        if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
            raise Refusal(415, f"Content-Type is '{kind[:80]}'; send 'application/json'", headers={"Accept": JSON})
        coding = (self.header("content-encoding") or "identity").strip().lower()
        if coding != "identity":
            raise Refusal(
                415,
                f"Content-Encoding is '{coding[:80]}'; send the body plain",
                headers={"Accept-Encoding": "identity"},
            )
        if not self.is_base64_encoded:
            return self.body.encode("utf-8", "surrogatepass")
        import base64

        try:
            return base64.b64decode(self.body, validate=True)
        except ValueError:
            raise Refusal(400, "the body is marked base64 and is not") from None


class Http(msgspec.Struct):
    """The request line of an HTTP API's event."""

    method: str


class RequestContext(msgspec.Struct, rename="camel"):
    """The part of an HTTP API's event that API Gateway adds to a request."""

    http: Http
    request_id: str | None = None
    stage: str = "$default"


class HttpApiEvent(msgspec.Struct, rename="camel"):
    """The fields that the API reads of an HTTP API's event; AWS sends more."""

    raw_path: str
    request_context: RequestContext
    headers: dict[str, str] | None = None
    body: str | None = None
    is_base64_encoded: bool = False
    stage_variables: dict[str, str] | None = None


def read_event(event: Any, context: Any, inference: Inference, paths: Container[str]) -> Request:
    """Return the request in `event`. Raises `Refusal` (400) where it is none of an HTTP API's.

    Its path loses a named stage, which HTTP APIs put before it, and the base path, unless it is one of the API's
    `paths` as it stands, for a base path or a stage may be called like the start of one.
    """
    try:
        http_api = msgspec.convert(event, HttpApiEvent)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise Refusal(400, f"this is no event of an API Gateway HTTP API, payload format 2.0: {error}") from None
    gateway, path, base_path = http_api.request_context, http_api.raw_path, BASE_PATH
    if http_api.stage_variables and "basePath" in http_api.stage_variables:
        # template.yaml's, so that a new base path needs no new version of the function
        base_path = "/" + http_api.stage_variables["basePath"].strip("/")
    base = "" if base_path == "/" else base_path  # where AWS has left it out of the path
    if path not in paths:
        if gateway.stage != "$default":
            path = _without(path, f"/{gateway.stage}")
        if base:
            path = _without(path, base)
        before = http_api.raw_path.removesuffix(path)
        base = before if base in before else base
    return Request(
        _printable(gateway.request_id) or request_id_of(context), inference, gateway.http.method, path, base,
        http_api.headers or {}, http_api.body or "", http_api.is_base64_encoded,
    )  # fmt: skip


def request_id_of(context: Any) -> str:
    """Return Lambda's id of the request, of what a header and a log line can hold."""
    return _printable(getattr(context, "aws_request_id", None))


def seconds_left(context: Any) -> float | None:
    """Return how long the invocation may still take, by Lambda's context; None without one."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return None if remaining is None else remaining() / 1e3


def _printable(name: Any) -> str:
    name = str(name or "")[:LONGEST_REQUEST_ID]
    return name if name.isascii() and name.isprintable() else "".join(c for c in name if " " <= c <= "~")


def _without(path: str, prefix: str) -> str:
    return path[len(prefix) :] or "/" if path == prefix or path.startswith(f"{prefix}/") else path
