"""One request as API Gateway's HTTP API hands it to Lambda (payload format 2.0), checked before anything reads it."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from lambda_fn.api.problem_details import Refusal

BASE_PATH = "/" + (os.environ.get("EFEMERA_BASE_PATH") or "").strip("/")  # of a custom domain's mapping, or a proxy's
LONGEST_REQUEST_ID = 128


class Http(msgspec.Struct):
    """The request line."""

    method: str


class RequestContext(msgspec.Struct, rename="camel"):
    """What API Gateway adds to a request."""

    http: Http
    request_id: str | None = None
    stage: str = "$default"


class Event(msgspec.Struct, rename="camel"):
    """What the API reads of an event; AWS sends more."""

    raw_path: str
    request_context: RequestContext
    headers: dict[str, str] | None = None
    body: str | None = None
    is_base64_encoded: bool = False
    stage_variables: dict[str, str] | None = None

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request_context.http.method

    @property
    def path(self) -> str:
        """The path within the API: without a named stage, which HTTP APIs put before it, and the base path."""
        path = self.raw_path
        stage = self.request_context.stage
        if stage != "$default":
            path = _without(path, f"/{stage}")
        base = self._base_path()
        return path if base == "/" else _without(path, base)

    @property
    def base(self) -> str:
        """What stands before the API's paths in this request's; the base path, if AWS has left that out."""
        found, base = self.raw_path[: len(self.raw_path) - len(self.path)], self._base_path()
        return found if base == "/" or base in found else base

    def _base_path(self) -> str:
        """What the stage says (template.yaml), so that a new one needs no new version of the function; else our own."""
        said = (self.stage_variables or {}).get("basePath")
        return BASE_PATH if said is None else "/" + said.strip("/")

    def header(self, name: str) -> str | None:
        """A header by its name in small letters: API Gateway sends it so, `sam local` as the client wrote it."""
        headers = self.headers or {}
        if name in headers:
            return headers[name]
        if "".join(headers).islower():
            return None
        return next((value for key, value in headers.items() if key.lower() == name), None)

    def content(self) -> bytes:
        """The body as bytes, whichever way API Gateway carries it. Raises `Refusal` on base64 that is none."""
        body = self.body or ""
        if not self.is_base64_encoded:
            return body.encode("utf-8", "surrogatepass")
        import base64

        try:
            return base64.b64decode(body, validate=True)
        except ValueError:
            raise Refusal(400, "the body is marked base64 and is not") from None

    def request_id(self, context: Any) -> str:
        """API Gateway's id of the request, else Lambda's: what a header and a log line can hold of it."""
        return _printable(self.request_context.request_id) or request_id_of(context)


def request_id_of(context: Any) -> str:
    """Lambda's id of the request."""
    return _printable(getattr(context, "aws_request_id", None))


def read_event(event: Any) -> Event:
    """The event as its struct. Raises `Refusal` where it is none of an HTTP API's."""
    try:
        return msgspec.convert(event, Event)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise Refusal(400, f"this is no event of an API Gateway HTTP API, payload format 2.0: {error}") from None


def _printable(name: Any) -> str:
    name = str(name or "")[:LONGEST_REQUEST_ID]
    return name if name.isascii() and name.isprintable() else "".join(c for c in name if " " <= c <= "~")


def _without(path: str, prefix: str) -> str:
    return path[len(prefix) :] or "/" if path == prefix or path.startswith(f"{prefix}/") else path
