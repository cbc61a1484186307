"""Lambda's Invoke and CodeDeploy's report over HTTP on this machine: the answers are those of the real API."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple

from lambda_fn.api.handler import handler
from tests.lambda_fn.conftest import Context

Event = dict[str, Any]


class Response(NamedTuple):
    """Response of a service."""

    status: int
    content: Any  # JSON
    headers: Mapping[str, str] = MappingProxyType({})


def refusal(status: int, code: str) -> Response:
    """Make the refusal of either service."""
    return Response(status, {"__type": code, "message": "no way"}, {"x-amzn-ErrorType": code})


class Aws:
    """Record of both services' requests. `answers` answers an event for Lambda; `codedeploy` holds its responses."""

    def __init__(self) -> None:
        self.invoked: list[tuple[str, Event]] = []  # function, event
        self.told: list[dict[str, str]] = []
        self.answers: Callable[[Event], Response] = real
        self.codedeploy: list[Response] = []
        self.is_over = threading.Event()

    def invoke(self, path: str, event: Event) -> Response:
        function = urllib.parse.unquote(path.removeprefix("/2015-03-31/functions/").removesuffix("/invocations"))
        self.invoked.append((function, event))
        return self.answers(event)

    def tell(self, told: dict[str, str]) -> Response:
        if self.codedeploy:
            return self.codedeploy.pop(0)
        self.told.append(told)
        return Response(200, {"lifecycleEventHookExecutionId": told["lifecycleEventHookExecutionId"]})

    @property
    def statuses(self) -> list[str]:
        """List the statuses reported to CodeDeploy."""
        return [told["status"] for told in self.told]

    def mutate(self, change: Callable[[Event, Event, dict[str, Any]], None]) -> None:
        """Let `change` alter, given the event, the API's answer and its body as JSON."""

        def answers(event: Event) -> Response:
            answer = handler(event, Context())
            body = json.loads(answer["body"])
            change(event, answer, body)
            return Response(200, {**answer, "body": json.dumps(body)})

        self.answers = answers

    def hang(self, _: Event) -> Response:
        """No answer before the test is over."""
        self.is_over.wait()
        return Response(200, None)


def real(event: Event) -> Response:
    """Answer as the API does, with the committed model."""
    return Response(200, handler(event, Context()))


@contextmanager
def serving(aws: Aws, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve both services; yield their address. `host` is one of this machine's."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path.endswith("/invocations"):
                assert self.headers.get("X-Amz-Invocation-Type") == "RequestResponse"
                found = aws.invoke(self.path, content)
            else:
                assert self.headers["X-Amz-Target"] == "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus"
                found = aws.tell(content)
            body = json.dumps(found.content).encode()
            self.send_response(found.status)
            for name, value in {**found.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # who asked has gone
                super().handle()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        aws.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
