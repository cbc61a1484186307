"""What an answer must be, whatever came."""

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


def answered(asked, handler=handler):
    """The answer to an event, held to all that must be true of any."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        found = handler(asked, Context())
    return checked(found, printed.getvalue())


def checked(found, printed):
    """The answer decoded. Raises `AssertionError` if it is none that API Gateway, a client or CloudWatch can read."""
    assert isinstance(found, dict), found
    assert set(found) <= {"statusCode", "headers", "body", "isBase64Encoded", "cookies"}, set(found)
    assert found.get("cookies", []) == []
    sent = json.dumps(found, ensure_ascii=False, allow_nan=False).encode()  # as Lambda's runtime sends it
    assert len(sent) <= LARGEST_RESPONSE, f"{len(sent):,} bytes are more than Lambda lets through"
    status = found["statusCode"]
    assert type(status) is int
    assert 200 <= status < 300 or 400 <= status < 500, f"{status}: {found['body'][:300]}"
    for name, value in found["headers"].items():
        assert re.fullmatch(r"[A-Za-z0-9-]+", name), name
        assert isinstance(value, str)
        assert re.fullmatch(r"[ -~]*", value), (name, value)
    headers = {name.lower(): value for name, value in found["headers"].items()}
    assert len(headers) == len(found["headers"])
    assert len(headers["x-request-id"]) <= 128
    content = found["body"].encode()
    if found.get("isBase64Encoded"):
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
