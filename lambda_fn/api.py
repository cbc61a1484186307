"""The HTTPS API: API Gateway's event in, a forecast or a problem out. Decode, forecast, encode; nothing is kept."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path
from typing import Any

import msgspec
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from lambda_fn.answer import Forecast, Forecasts, answer, answer_series
from lambda_fn.faults import BadBody, Fault
from lambda_fn.forecaster import Forecaster
from lambda_fn.problem import problem_of
from lambda_fn.request import decode_request

ROUTES = {"/predict": "POST", "/health": "GET, HEAD"}
GZIP_FROM = 8192  # bytes; of less, packing takes longer than sending
GZIP_LEVEL = 1  # a quarter of the time of 6, for 9% more bytes
JSON, PROBLEM = "application/json", "application/problem+json"

forecaster = Forecaster(Path(os.environ.get("EFEMERA_MODELS") or Path(__file__).parent.parent / "models"))
app = APIGatewayHttpResolver()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one API Gateway HTTP API (payload 2.0) event."""
    return app.resolve(event, context)


@app.post("/predict")
def predict() -> Response[Any]:
    """Forecast the series in the body, one or several."""
    kind = (app.current_event.headers.get("content-type") or JSON).partition(";")[0].strip().lower()
    if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        return problem(415, f"Content-Type is '{kind[:80]}'; send 'application/json'")
    try:
        body = _body()
        request, refused = decode_request(body, forecaster.limits)
    except BadBody as bad:
        return problem(bad.status, bad.detail, bad.faults)
    found: Forecast | Forecasts
    if request.prices is not None:
        found = answer(forecaster, request)
    else:
        found = answer_series(forecaster, request, refused, _request_id())
    return reply(200, JSON, found)


@app.route("/health", method=["GET", "HEAD"])
def health() -> Response[Any]:
    """Ready: this process has verified its model and replayed its golden windows."""
    manifest = forecaster.manifest
    state = {
        "status": "ok",
        "model_version": manifest.model_version,
        "model_digest": forecaster.model_digest,
        "verdict": forecaster.verdict,
    }
    return reply(200, JSON, state)


@app.not_found
def no_route(_: NotFoundError) -> Response[Any]:
    """A path or a method that is not served."""
    path, method = app.current_event.path, app.current_event.http_method
    if path in ROUTES:
        allowed = ROUTES[path]
        return problem(405, f"{path} takes {allowed}, not {method[:20]}", headers={"Allow": allowed})
    return problem(404, f"there is no {path[:80]} here; POST /predict and GET /health are")


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def unexpected(error: Exception) -> Response[Any]:
    """A fault of ours: logged with its stack, without its message, which may hold a price."""
    from aws_lambda_powertools import Logger  # half a start-up's cost, for what should never happen

    stack = "".join(traceback.format_tb(error.__traceback__))
    Logger(service="efemera").error(
        "unexpected error", error=type(error).__name__, stack=stack, request_id=_request_id()
    )
    return problem(500, "the request could not be answered; it was logged under this id")


def problem(
    status: int, detail: str, faults: list[Fault] | None = None, headers: dict[str, str] | None = None
) -> Response[Any]:
    """A refusal as an answer."""
    return reply(status, PROBLEM, problem_of(status, detail, _request_id(), faults), headers)


def reply(status: int, kind: str, body: Any, headers: dict[str, str] | None = None) -> Response[Any]:
    """`body` as JSON, with the headers of every answer; packed where it is long and the client takes gzip."""
    content = msgspec.json.encode(body)
    named = {"Cache-Control": "no-store", "X-Request-Id": _request_id(), **(headers or {})}
    if len(content) < GZIP_FROM:
        return Response(status, kind, content.decode(), named)
    named["Vary"] = "Accept-Encoding"
    if not _takes_gzip(app.current_event.headers.get("accept-encoding") or ""):
        return Response(status, kind, content.decode(), named)
    import base64
    import zlib

    packer = zlib.compressobj(GZIP_LEVEL, wbits=31)  # 31: with gzip's header
    packed = base64.b64encode(packer.compress(content) + packer.flush()).decode()
    response = Response(status, kind, packed, {**named, "Content-Encoding": "gzip"})
    response.base64_encoded = True
    return response


def _body() -> bytes:
    """The request's body as bytes, whichever way API Gateway carries it."""
    body = app.current_event.body or ""
    if not app.current_event.is_base64_encoded:
        return body.encode("utf-8", "surrogatepass")
    import base64

    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise BadBody(400, "the body is marked base64 and is not", []) from None


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding (RFC 9110) allows gzip, by name or by *."""
    weights = {}
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = weight.replace(" ", "")
    chosen = weights.get("gzip", weights.get("*"))
    return chosen is not None and not re.fullmatch(r"q=0(\.0*)?", chosen)


def _request_id() -> str:
    """API Gateway's id of this request, else Lambda's: what a header and a log line can hold of it."""
    found = (app.current_event.get("requestContext") or {}).get("requestId")
    name = str(found or getattr(app.lambda_context, "aws_request_id", ""))[:128]
    return name if name.isascii() and name.isprintable() else "".join(c for c in name if " " <= c <= "~")
