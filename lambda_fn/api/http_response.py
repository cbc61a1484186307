"""An answer as API Gateway takes it: JSON, the headers of every answer, gzip for a long one if the client takes it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lambda_fn.api.event import Event
from lambda_fn.api.problem_details import Refusal
from lambda_fn.powertools import Response

JSON, PROBLEM = "application/json", "application/problem+json"
GZIP_FROM = 8192  # bytes; of less, packing takes longer than sending
GZIP_LEVEL = 1  # a quarter of the time of 6, for 9% more bytes
LARGEST = 6_000_000  # bytes of an answer within JSON, of Lambda's 6 MiB: the rest is room for its headers


def reply(
    event: Event | None,
    request_id: str,
    status: int,
    body: Any,
    kind: str = JSON,
    headers: dict[str, str] | None = None,
) -> Response[Any]:
    """`body` as JSON, the answer to `event`.

    Raises `Refusal` (413) where Lambda would not let the answer through.
    """
    content = _encoder.encode(body)
    named = {"Cache-Control": "no-store", "X-Request-Id": request_id}
    if headers:
        named.update(headers)
    if len(content) < GZIP_FROM:
        return Response(status, kind, content.decode(), named)
    named["Vary"] = "Accept-Encoding"
    if event is None or not takes_gzip(event.header("accept-encoding") or ""):
        text = content.decode()
        _check_size(len(content) + text.count('"') + text.count("\\"))
        return Response(status, kind, text, named)
    import base64
    import zlib

    packer = zlib.compressobj(GZIP_LEVEL, wbits=31)  # 31: with gzip's header
    packed = base64.b64encode(packer.compress(content) + packer.flush()).decode()
    _check_size(len(packed))
    response = Response(status, kind, packed, {**named, "Content-Encoding": "gzip"})
    response.base64_encoded = True
    return response


_encoder = msgspec.json.Encoder()


def _check_size(size: int) -> None:
    if size > LARGEST:
        detail = (
            f"the answer would hold {size / 1e6:.1f} MB and Lambda lets 6 MB through; ask for fewer series or steps"
        )
        raise Refusal(413, detail)


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding (RFC 9110) allows gzip, by name or by *."""
    weights = {}
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = weight.replace(" ", "")
    chosen = weights.get("gzip", weights.get("*"))
    return chosen is not None and not re.fullmatch(r"q=0(\.0*)?", chosen)
