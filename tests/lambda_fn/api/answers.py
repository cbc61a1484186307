"""Check what must be true of any answer."""

import base64
import contextlib
import gzip
import io
import json
import re
from typing import Any, NamedTuple

from lambda_fn.api.handler import forecaster, handler, routes
from tests.lambda_fn.conftest import Context

PREDICT, EXPLAIN, INFER = "/predict", "/explain", "/v2/models/efemera/infer"
LARGEST_RESPONSE = 6_291_556  # bytes; Lambda's own words: "exceeded maximum allowed payload size (6291556 bytes)"
LABELS = {path.replace(forecaster.manifest.model_version, "{version}") for path in routes} | {"none"}


class Answer(NamedTuple):
    """One answer, decoded, and the line logged of it."""

    status: int
    headers: dict[str, str]  # names in small letters
    body: Any
    line: dict[str, Any]
    printed: str


def answered(asked):
    """Answer an event, and check all that must be true of any answer."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        response = handler(asked, Context())
    return checked(response, printed.getvalue())


def checked(response, printed):
    """Decode an answer. Raises `AssertionError` if it is none that API Gateway, a client or CloudWatch can read."""
    assert isinstance(response, dict), response
    assert set(response) <= {"statusCode", "headers", "body", "isBase64Encoded", "cookies"}, set(response)
    assert response.get("cookies", []) == []
    sent = json.dumps(response, ensure_ascii=False, allow_nan=False).encode()  # as Lambda's runtime sends it
    assert len(sent) <= LARGEST_RESPONSE, f"{len(sent):,} bytes are more than Lambda lets through"
    status = response["statusCode"]
    assert type(status) is int
    assert 200 <= status < 300 or 400 <= status < 500, f"{status}: {response['body'][:300]}"
    for name, value in response["headers"].items():
        assert re.fullmatch(r"[A-Za-z0-9-]+", name), name
        assert isinstance(value, str)
        assert re.fullmatch(r"[ -~]*", value), (name, value)
    headers = {name.lower(): value for name, value in response["headers"].items()}
    assert len(headers) == len(response["headers"])
    assert len(headers["x-request-id"]) <= 128
    content = response["body"].encode()
    if response.get("isBase64Encoded"):
        assert headers["content-encoding"] == "gzip"
        content = gzip.decompress(base64.b64decode(content, validate=True))
    if status < 300 and headers["content-type"] == "text/html; charset=utf-8":
        body = {}  # a page; test_pages.py looks into it
        assert content.startswith(b"<!doctype html>")
    else:
        body = strict(content.decode())
    assert isinstance(body, dict)
    if body and status < 300:
        assert headers["content-type"] == "application/json"
    elif body:
        assert headers["content-type"] == "application/problem+json"
        assert body["status"] == status
        assert body["instance"] == headers["x-request-id"]
        assert body["type"].startswith("/problems/")
        assert body["detail"]
    assert printed.endswith("\n")
    assert len(printed.splitlines()) == 1, printed
    line = strict(printed)
    assert (line["status"], line["request_id"]) == (status, headers["x-request-id"])
    assert line["route"] in LABELS, line["route"]
    return Answer(status, headers, body, line, printed)


def strict(text):
    """JSON by RFC 8259: no NaN, no Infinity."""
    return json.loads(text, parse_constant=_no_json)


def _no_json(literal):
    raise AssertionError(f"{literal} is not JSON")
