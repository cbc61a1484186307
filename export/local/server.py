"""`efemera serve`: the real Lambda handler behind uvicorn, one API Gateway event for each HTTP request."""

from __future__ import annotations

import base64
import socket
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import uvicorn

from export.errors import InputError

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LARGEST_BODY = 6 * 1024 * 1024  # what Lambda takes
TOO_LONG = {"statusCode": 413, "body": '{"message":"Request Too Long"}'}  # in API Gateway's words
TIME_LIMIT_MS = 10_000  # the template's Timeout


class Gateway:
    """An ASGI application that does what API Gateway's HTTP API does: events of payload format 2.0, and back.

    Requests are answered one after another, as one Lambda environment answers them.
    """

    def __init__(self, handler: Handler) -> None:
        """`handler` can be replaced at any time, between two requests."""
        self.handler = handler

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        assert scope["type"] == "http"
        body = await _read(receive)
        if body is None:
            await _answer(send, TOO_LONG, head=False)
            return
        request_id = str(uuid.uuid4())
        response = self.handler(event_of(scope, body, request_id), lambda_context(request_id))
        await _answer(send, response, head=scope["method"] == "HEAD")


def event_of(scope: dict[str, Any], body: bytes, request_id: str) -> dict[str, Any]:
    """The event API Gateway would make of this request (payload format 2.0)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    now = datetime.now(UTC)
    try:
        text, encoded = body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    query = scope["query_string"].decode("latin-1")
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": scope["path"],
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": headers.get("host", "127.0.0.1"),
            "domainPrefix": "local",
            "http": {
                "method": scope["method"],
                "path": scope["path"],
                "protocol": f"HTTP/{scope['http_version']}",
                "sourceIp": (scope.get("client") or ("127.0.0.1",))[0],
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "body": text,
        "isBase64Encoded": encoded,
    }


def lambda_context(request_id: str) -> SimpleNamespace:
    """Make the context that Lambda's runtime hands a handler beside the event."""
    return SimpleNamespace(
        function_name="efemera-local",
        function_version="$LATEST",
        invoked_function_arn="arn:aws:lambda:local:000000000000:function:efemera-local",
        memory_limit_in_mb="512",
        aws_request_id=request_id,
        log_group_name="local",
        log_stream_name="local",
        get_remaining_time_in_millis=lambda: TIME_LIMIT_MS,
    )


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises `InputError` when the address can't be had."""
    try:
        listening = socket.create_server((host, port), backlog=512)
        # Inherited by every connection: asyncio sees to it only for sockets that name their protocol, and without it
        # an answer's body waits 40 ms for the client to acknowledge its headers.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--port {port}: can't listen on {host} ({getattr(error, 'strerror', None) or error})"
        ) from None


def server_of(gateway: Gateway) -> uvicorn.Server:
    """A server for `gateway`; `run(sockets=[…])` serves until `should_exit` or Ctrl-C."""
    config = uvicorn.Config(
        gateway,
        log_level="warning",
        lifespan="off",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when it is larger than Lambda takes, or the client has gone."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None  # half a body is none, and nobody waits for the answer
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


async def _answer(send: Send, response: dict[str, Any], *, head: bool) -> None:
    """The handler's answer as HTTP."""
    text = response.get("body") or ""
    body = base64.b64decode(text) if response.get("isBase64Encoded") else text.encode()
    headers = {
        "content-type": "application/json",
        **{k.lower(): str(v) for k, v in (response.get("headers") or {}).items()},
    }
    headers["content-length"] = str(len(body))
    await send(
        {
            "type": "http.response.start",
            "status": response["statusCode"],
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": b"" if head else body})
