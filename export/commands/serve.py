"""`efemera serve`: the Lambda handler on 127.0.0.1."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from typing import Annotated, Any

import typer

from export.commands.options import MODELS, ModelOption
from export.errors import GateRefused
from export.screen import out as screen

HOST = "127.0.0.1"
LIVE = "/v2/health/live"


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    model: ModelOption = MODELS,
    base_path: Annotated[
        str, typer.Option(help="Answer below this path as well, as behind a proxy or a stage.", show_default=False)
    ] = "",
    log: Annotated[bool, typer.Option("--log", help="Print the log lines that Lambda would write.")] = False,
) -> None:
    """Answer HTTP on this machine with the handler that runs on Lambda; Ctrl-C ends it.

    Until the model is verified `/v2/health/live` is answered and all else is 503. What the API takes and answers:
    `/openapi.json`.

    Example: `efemera serve --port 0`

    As behind API Gateway's stage `prod`, with its log: `efemera serve --base-path /prod --log`
    """
    os.environ["EFEMERA_MODELS"] = str(model)
    os.environ["EFEMERA_BASE_PATH"] = base_path
    os.environ["POWERTOOLS_METRICS_DISABLED"] = "false" if log else "true"
    os.environ["POWERTOOLS_LOG_LEVEL"] = "INFO" if log else "ERROR"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a log line is seen when it is written, in a pipe too
    from export.local.server import Gateway, listen, server_of

    with listen(HOST, port) as socket:
        gateway = Gateway(starting)
        server = server_of(gateway)
        address = f"http://{HOST}:{socket.getsockname()[1]}{'/' if base_path.strip('/') else ''}{base_path.strip('/')}"
        failures: list[Exception] = []

        def load() -> None:
            """Verify the model, as a Lambda environment does at its start, then answer with it."""
            try:
                from lambda_fn.api.handler import forecaster, handler
            except Exception as error:
                failures.append(error)
                server.should_exit = True
                return
            gateway.handler = handler
            if not server.should_exit:
                screen.print(
                    f"Efemera answers on {address} (model {forecaster.manifest.model_version}). Ctrl-C ends it."
                )

        loading = threading.Thread(target=load, daemon=True)
        loading.start()
        try:
            server.run(sockets=[socket])
        except KeyboardInterrupt:
            screen.print("ended")
        loading.join()
    for failure in failures:
        from lambda_fn.model.manifest import ModelRefused

        if isinstance(failure, ModelRefused):
            raise GateRefused(str(failure)) from None
        raise failure


def starting(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The answers of a server that lives and is not ready."""
    import msgspec

    from lambda_fn.api.problem_details import Refusal

    path, base_path = event["rawPath"], os.environ.get("EFEMERA_BASE_PATH", "").strip("/")
    headers = {"Cache-Control": "no-store", "X-Request-Id": context.aws_request_id}
    if path in (LIVE, f"/{base_path}{LIVE}") and event["requestContext"]["http"]["method"] in ("GET", "HEAD"):
        return {"statusCode": 200, "headers": headers, "body": json.dumps({"live": True})}
    problem = Refusal(503, "the model is being verified").problem(context.aws_request_id)
    problem.error = problem.detail  # for clients of the Open Inference Protocol
    headers |= {"Content-Type": "application/problem+json", "Retry-After": "1"}
    return {"statusCode": 503, "headers": headers, "body": msgspec.json.encode(problem).decode()}
