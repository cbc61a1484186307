"""Build the Lambda proxy response: status, headers, request id, the body as JSON, gzip for a long one."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lambda_fn.api.event import JSON, Request
from lambda_fn.api.problem_details import Refusal

PROBLEM = "application/problem+json"
GZIP_FROM = 8192  # bytes; of less, packing takes longer than sending
GZIP_LEVEL = 1  # a quarter of the time of 6, for 9% more bytes
LARGEST = 6_000_000  # bytes of an answer within JSON, of Lambda's 6 MiB: the rest is room for its headers

Response = dict[str, Any]  # statusCode, headers, body, isBase64Encoded: as API Gateway takes it

_encode = msgspec.json.Encoder().encode


def respond(
    request: Request, body: Any, status: int = 200, kind: str = JSON, headers: dict[str, str] | None = None
) -> Response:
    """Answer `request` with `body` as JSON, gzipped if it is long and the client takes that.

    Raises `Refusal` (413) where Lambda would not let the response through.
    """
    content = _encode(body)
    named = {"Cache-Control": "no-store", "X-Request-Id": request.id, **(headers or {})}
    if len(content) < GZIP_FROM:
        return http_response(status, kind, named, content.decode())
    named["Vary"] = "Accept-Encoding"
    if not takes_gzip(request):
        text = content.decode()
        _check_size(len(content) + text.count('"') + text.count("\\"))
        return http_response(status, kind, named, text)
    import base64
    import zlib

    packer = zlib.compressobj(GZIP_LEVEL, wbits=31)  # 31: with gzip's header
    packed = base64.b64encode(packer.compress(content) + packer.flush()).decode()
    _check_size(len(packed))
    return http_response(status, kind, named, packed, is_gzip=True)


def http_response(status: int, kind: str, headers: dict[str, str], text: str, is_gzip: bool = False) -> Response:
    """Build a response of this Content-Type; `text` is base64 where it is gzip."""
    if is_gzip:
        headers["Content-Encoding"] = "gzip"
    headers["Content-Type"] = kind
    return {"statusCode": status, "headers": headers, "body": text, "isBase64Encoded": is_gzip}


def _check_size(size: int) -> None:
    if size > LARGEST:
        detail = (
            f"the answer would hold {size / 1e6:.1f} MB and Lambda lets 6 MB through; ask for fewer series or steps"
        )
        raise Refusal(413, detail)


def takes_gzip(request: Request) -> bool:
    """Return whether the request's Accept-Encoding (RFC 9110) allows gzip, by name or by *."""
    weights = {}
    for part in (request.header("accept-encoding") or "").lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = weight.replace(" ", "")
    chosen = weights.get("gzip", weights.get("*"))
    return chosen is not None and not re.fullmatch(r"q=0(\.0*)?", chosen)
