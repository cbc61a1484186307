"""Serve the two pages, `GET /` and `GET /docs`: built files, with a content security policy of their own hashes."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from lambda_fn.api.event import Request
from lambda_fn.api.http_response import Response, http_response, takes_gzip

FOLDER = Path(__file__).with_name("page")
KIND = "text/html; charset=utf-8"
INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class Page(NamedTuple):
    """One page as it is sent to everybody."""

    text: str
    packed: str  # gzip in base64
    tag: str  # for If-None-Match; weak, as it stands for the packed page too
    policy: str


@functools.lru_cache(maxsize=2)
def read(name: str) -> Page:
    """Read a page by name, once."""
    content = (FOLDER / name).read_bytes()
    text = content.decode()
    packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    return Page(text, packed, f'W/"{hashlib.sha256(content).hexdigest()[:32]}"', policy(text))


def policy(text: str) -> str:
    """Build the Content-Security-Policy: own script and style by their hashes, this server for requests, own icon."""
    allowed: dict[str, list[str]] = {"script": [], "style": []}
    for kind, inlined in INLINE.findall(text):
        allowed[kind].append(f"'sha256-{base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()}'")
    return (
        f"default-src 'none'; script-src {' '.join(allowed['script'])}; style-src {' '.join(allowed['style'])};"
        " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def page_response(request: Request, name: str) -> Response:
    """Answer with a page, or 304 to a browser that has it. It holds no data: browsers may keep it if they ask anew."""
    page = read(name)
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": page.policy,
        "ETag": page.tag,
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": request.id,
    }
    if page.tag in (request.header("if-none-match") or ""):
        return http_response(304, KIND, headers, "")
    if not takes_gzip(request):
        return http_response(200, KIND, headers, page.text)
    return http_response(200, KIND, headers, page.packed, is_gzip=True)
