"""The HTTPS API: API Gateway's event in, a forecast or a problem out. Decode, forecast, encode; nothing is kept.

Powertools routes. It is handed the method and the path alone: of the headers it would make two copies a request.
"""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lambda_fn import card, inference, telemetry
from lambda_fn.answer import Forecast, Forecasts, answer, answer_series
from lambda_fn.event import Event, read_event
from lambda_fn.forecaster import Forecaster
from lambda_fn.powertools import APIGatewayHttpResolver, Logger, NotFoundError, Response
from lambda_fn.refusal import Refusal
from lambda_fn.reply import JSON, PROBLEM, reply
from lambda_fn.request import decode_request
from lambda_fn.run import Run

FOLDER = Path(os.environ.get("EFEMERA_MODELS") or Path(__file__).parent.parent / "models")
UNROUTED = "none"  # the route of a request that has none, in a log line

started = time.perf_counter()
forecaster = Forecaster(FOLDER)  # verified and warm, before the first request and before a SnapStart snapshot
app = APIGatewayHttpResolver()
logger = Logger(service=telemetry.SERVICE)
MODEL_PATHS = inference.paths(forecaster)
routes: dict[str, str] = {}  # path → its methods, as a 405 lists them


class Call:
    """One request while it is answered: what came, the model for it, what a log line will say."""

    __slots__ = ("event", "id", "refusals", "route", "run")

    def __init__(self, context: Any) -> None:
        self.event: Event | None = None  # until it is known to be one
        self.id = str(getattr(context, "aws_request_id", ""))
        self.route = UNROUTED
        self.run = Run(forecaster, context)
        self.refusals: dict[str, int] = {}

    def body(self) -> bytes:
        """The body, if it is plain JSON by its headers."""
        assert self.event is not None
        kind = (self.event.header("content-type") or JSON).partition(";")[0].strip().lower()
        if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
            raise Refusal(415, f"Content-Type is '{kind[:80]}'; send 'application/json'", headers={"Accept": JSON})
        coding = (self.event.header("content-encoding") or "identity").strip().lower()
        if coding != "identity":
            raise Refusal(
                415,
                f"Content-Encoding is '{coding[:80]}'; send the body plain",
                headers={"Accept-Encoding": "identity"},
            )
        return self.event.content()

    def tensors(self) -> bytes:
        """The body of an inference request, if it holds no binary tensors."""
        assert self.event is not None
        inference.refuse_binary(self.event)
        return self.body()

    def reply(
        self, body: Any, kind: str = JSON, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response[Any]:
        """`body` as the answer to this request."""
        return reply(self.event, self.id, status, body, kind, headers)

    def refuse(self, refusal: Refusal) -> Response[Any]:
        """The refusal as the answer to this request, and in its log line."""
        self.refusals[refusal.reason] = 1
        problem = refusal.problem(self.id)
        if self.event is not None and self.event.path.startswith(inference.ROOT):
            problem.error = problem.detail
        return self.reply(problem, PROBLEM, refusal.status, refusal.headers)


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Answer one event of an API Gateway HTTP API (payload format 2.0)."""
    begun = time.perf_counter()
    call = Call(context)
    try:
        call.event = read_event(event)
        call.id = call.event.name(context)
        request = {"http": {"method": call.event.method}, "stage": "$default"}
        app.append_context(call=call)  # type: ignore[no-untyped-call]
        found = app.resolve({"rawPath": call.event.path, "headers": {}, "requestContext": request}, context)
    except Refusal as refusal:
        answered = call.refuse(refusal)
        found = {
            "statusCode": refusal.status,
            "headers": {"Content-Type": PROBLEM, **answered.headers},
            "body": answered.body,
            "isBase64Encoded": False,
        }
    run, manifest = call.run, forecaster.manifest
    telemetry.write(
        telemetry.Line(
            call.route, found["statusCode"], call.id, time.perf_counter() - begun, run.seconds, run.series,
            call.refusals, manifest.model_version, forecaster.model_digest,
        )
    )  # fmt: skip
    return found


Route = Callable[[Call], Response[Any]]


def serves(method: str, *paths: str) -> Callable[[Route], Route]:
    """Make a function the answer to some paths; what answers GET answers HEAD."""
    methods = [method, "HEAD"] if method == "GET" else [method]

    def register(function: Route) -> Route:
        for path in paths:
            routes[path] = ", ".join(methods)
            app.route(re.escape(path), method=methods)(routed(path, function))
        return function

    return register


def routed(path: str, function: Route) -> Callable[[], Response[Any]]:
    """What Powertools calls for a path: the function, told of the request."""

    label = path.replace(
        forecaster.manifest.model_version, "{version}"
    )  # one for all versions, as a metric's dimension

    def route() -> Response[Any]:
        call = current()
        call.route = label
        return function(call)

    return route


def current() -> Call:
    """The request that is being answered: they come one at a time, as Lambda sends them."""
    call: Call = app.context["call"]
    return call


@serves("POST", "/predict")
def predict(call: Call) -> Response[Any]:
    """Forecast the series in the body, one or several."""
    request, refused = decode_request(call.body(), forecaster.limits)
    found: Forecast | Forecasts
    if request.prices is not None:
        found = answer(call.run, request)
    else:
        found = answer_series(call.run, request, refused, call.id)
        for faults in refused.values():
            reason = "series-price" if faults[-1].pointer.rpartition("/")[2].isdigit() else "series-history"
            call.refusals[reason] = call.refusals.get(reason, 0) + 1
    return call.reply(found)


@serves("GET", "/health")
def health(call: Call) -> Response[Any]:
    """Ready: this process has verified its model and replayed its golden windows."""
    return call.reply(card.state(forecaster))


@serves("GET", "/model")
def model(call: Call) -> Response[Any]:
    """The model card."""
    return call.reply(card.read(FOLDER, forecaster))


@serves("GET", "/openapi.json")
def openapi(call: Call) -> Response[Any]:
    """What this API takes and answers."""
    return call.reply(card.openapi(forecaster))


@serves("GET", inference.ROOT)
def server_metadata(call: Call) -> Response[Any]:
    """Open Inference Protocol: which server this is."""
    return call.reply(inference.server())


@serves("GET", f"{inference.ROOT}/health/live")
def live(call: Call) -> Response[Any]:
    """Open Inference Protocol: the process runs."""
    return call.reply({"live": True})


@serves("GET", f"{inference.ROOT}/health/ready")
def ready(call: Call) -> Response[Any]:
    """Open Inference Protocol: a process whose model is not verified and warm has not come this far."""
    return call.reply({"ready": True})


@serves("GET", *MODEL_PATHS)
def model_metadata(call: Call) -> Response[Any]:
    """Open Inference Protocol: the model's tensors."""
    return call.reply(inference.metadata(forecaster))


@serves("GET", *(f"{path}/ready" for path in MODEL_PATHS))
def model_ready(call: Call) -> Response[Any]:
    """Open Inference Protocol: as `ready`, of the model."""
    return call.reply({"name": inference.NAME, "ready": True})


@serves("POST", *(f"{path}/infer" for path in MODEL_PATHS))
def infer(call: Call) -> Response[Any]:
    """Open Inference Protocol: tensors in, tensors out."""
    return call.reply(inference.infer(call.run, call.tensors()))


@app.not_found
def no_route(_: NotFoundError) -> Response[Any]:
    """A path or a method that is not served."""
    call = current()
    assert call.event is not None
    path, method = call.event.path, call.event.method
    if path in routes:
        call.route, allowed = path, routes[path]
        return call.refuse(Refusal(405, f"{path} takes {allowed}, not {method[:20]}", headers={"Allow": allowed}))
    return call.refuse(Refusal(404, f"there is no {path[:80]} here; POST /predict is, and GET /openapi.json lists all"))


@app.exception_handler(Refusal)  # type: ignore[untyped-decorator]
def refused(refusal: Refusal) -> Response[Any]:
    """A request that can't be answered as it is."""
    return current().refuse(refusal)


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def unexpected(error: Exception) -> Response[Any]:
    """A fault of ours: logged with its stack, without its message, which may hold a price."""
    call = current()
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger.error("unexpected error", error=type(error).__name__, stack=stack, request_id=call.id)
    return call.refuse(Refusal(500, "the request could not be answered; it was logged under this id"))


logger.info(
    "ready",
    model_version=forecaster.manifest.model_version,
    model_digest=forecaster.model_digest,
    verdict=forecaster.verdict,
    self_check=forecaster.self_check,
    milliseconds=round((time.perf_counter() - started) * 1e3, 1),
)
