"""The two pages, `GET /` and `GET /docs`: built files, sent with a policy that lets in nothing but what they hold."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from lambda_fn.api.http_response import takes_gzip
from lambda_fn.api.request_context import Call
from lambda_fn.powertools import Response

FOLDER = Path(__file__).with_name("page")
KIND = "text/html; charset=utf-8"
INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class Page(NamedTuple):
    """One page as it is sent, the same to everybody."""

    text: str
    packed: str  # gzip in base64
    tag: str  # for If-None-Match; weak, as it stands for the packed page too
    policy: str


@functools.lru_cache(maxsize=2)
def read(name: str) -> Page:
    """The page of a name, read at its first request."""
    content = (FOLDER / name).read_bytes()
    text = content.decode()
    packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    return Page(text, packed, f'W/"{hashlib.sha256(content).hexdigest()[:32]}"', policy(text))


def policy(text: str) -> str:
    """The page's own script and style by their hashes, this server for requests, its own icon; nothing else."""
    allowed: dict[str, list[str]] = {"script": [], "style": []}
    for kind, inlined in INLINE.findall(text):
        allowed[kind].append(f"'sha256-{base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()}'")
    return (
        f"default-src 'none'; script-src {' '.join(allowed['script'])}; style-src {' '.join(allowed['style'])};"
        " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def answer(call: Call, name: str) -> Response[str]:
    """The page, or 304 to a browser that has it. It holds no data, so browsers may keep it if they ask each time."""
    assert call.event is not None
    page = read(name)
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": page.policy,
        "ETag": page.tag,
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": call.id,
    }
    if page.tag in (call.event.header("if-none-match") or ""):
        return Response(304, KIND, "", headers)
    if not takes_gzip(call.event.header("accept-encoding") or ""):
        return Response(200, KIND, page.text, headers)
    response = Response(200, KIND, page.packed, {**headers, "Content-Encoding": "gzip"})
    response.base64_encoded = True
    return response
