"""The HTTPS API: API Gateway's event in, a forecast or a problem out. Decode, forecast, encode; nothing is kept."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lambda_fn import MODELS, telemetry
from lambda_fn.api import model_card, open_inference
from lambda_fn.api.event import read_event
from lambda_fn.api.forecast_response import Forecast, Forecasts, answer, answer_series
from lambda_fn.api.problem_details import Refusal
from lambda_fn.api.request import decode_explain_request, decode_request
from lambda_fn.api.request_context import Call
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.powertools import NotFoundError, Resolver, Response

NO_METHOD = "NONE"  # of no route
FOLDER = Path(os.environ.get("EFEMERA_MODELS") or MODELS)

started = time.perf_counter()
forecaster = Forecaster(FOLDER)  # verified and warm, before the first request and before a SnapStart snapshot
app = Resolver(debug=False)  # whatever POWERTOOLS_DEV says: it would print paths
MODEL_PATHS = open_inference.paths(forecaster)
routes: dict[str, str] = {}  # path → its methods, as a 405 lists them


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Answer one event of an API Gateway HTTP API (payload format 2.0)."""
    begun = time.perf_counter()
    call = Call(forecaster, context)
    try:
        call.event = read_event(event)
        call.id = call.event.request_id(context)
        if call.event.raw_path in routes:  # though a base path or a stage may be called like its start
            call.path = call.event.raw_path
        else:
            call.path = call.event.path
        path, method = call.path, call.event.method
        if path not in routes or not method.isupper():  # Powertools overlooks a line break and small letters
            method = NO_METHOD
        found = app.answer(method, path, context, call=call)
    except Refusal as refusal:
        answered = call.refuse(refusal)
        found = {
            "statusCode": refusal.status,
            "headers": answered.headers,
            "body": answered.body,
            "isBase64Encoded": answered.base64_encoded,
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
    name = label(path)

    def route() -> Response[Any]:
        call = current()
        call.route = name
        return function(call)

    return route


def label(path: str) -> str:
    """The path as a metric's dimension: one for all versions of the model."""
    return path.replace(f"/versions/{forecaster.manifest.model_version}", "/versions/{version}")


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
        for refusal in refused.values():
            call.refusals[refusal.reason] = call.refusals.get(refusal.reason, 0) + 1
    return call.reply(found)


@serves("POST", "/explain")
def explain(call: Call) -> Response[Any]:
    """Say why the forecast of the one series in the body is what it is."""
    from lambda_fn.api import explain_response  # few processes explain, and with the weights it would slow every start

    request = decode_explain_request(call.body(), forecaster.limits)
    try:
        found = explain_response.answer(call.run, explain_response.weights_of(FOLDER, forecaster), request)
    except explain_response.Disagreement as disagreement:
        telemetry.logger.error("self-check failed", reason=str(disagreement), request_id=call.id)
        detail = "the explanation did not pass its self-check, so there is none; it was logged under this id"
        raise Refusal(500, detail, reason="self-check") from None
    return call.reply(found)


@serves("GET", "/health")
def health(call: Call) -> Response[Any]:
    """Ready: this process has verified its model and replayed its golden windows."""
    return call.reply(model_card.state(forecaster))


@serves("GET", "/model")
def model(call: Call) -> Response[Any]:
    """The model card."""
    return call.reply(model_card.read(FOLDER, forecaster))


@serves("GET", "/openapi.json")
def openapi(call: Call) -> Response[Any]:
    """What this API takes and answers."""
    assert call.event is not None
    return call.reply(model_card.openapi(forecaster, call.event.base))


@serves("GET", "/")
def page(call: Call) -> Response[Any]:
    """The page that people use, in a browser."""
    from lambda_fn.api import pages  # few processes are asked by a browser

    return pages.answer(call, "index.html")


@serves("GET", "/docs")
def docs(call: Call) -> Response[Any]:
    """The API's reference, in a browser."""
    from lambda_fn.api import pages

    return pages.answer(call, "docs.html")


@serves("GET", open_inference.ROOT)
def server_metadata(call: Call) -> Response[Any]:
    """Open Inference Protocol: which server this is."""
    return call.reply(open_inference.server())


@serves("GET", f"{open_inference.ROOT}/health/live")
def live(call: Call) -> Response[Any]:
    """Open Inference Protocol: the process runs."""
    return call.reply(open_inference.Live())


@serves("GET", f"{open_inference.ROOT}/health/ready")
def ready(call: Call) -> Response[Any]:
    """Open Inference Protocol: a process whose model is not verified and warm has not come this far."""
    return call.reply(open_inference.Ready())


@serves("GET", *MODEL_PATHS)
def model_metadata(call: Call) -> Response[Any]:
    """Open Inference Protocol: the model's tensors."""
    return call.reply(open_inference.metadata(forecaster))


@serves("GET", *(f"{path}/ready" for path in MODEL_PATHS))
def model_ready(call: Call) -> Response[Any]:
    """Open Inference Protocol: as `ready`, of the model."""
    return call.reply(open_inference.ModelReady())


@serves("POST", *(f"{path}/infer" for path in MODEL_PATHS))
def infer(call: Call) -> Response[Any]:
    """Open Inference Protocol: tensors in, tensors out."""
    return call.reply(open_inference.infer(call.run, call.tensors()))


@app.not_found
def no_route(_: NotFoundError) -> Response[Any]:
    """A path or a method that is not served."""
    call = current()
    assert call.event is not None
    path, method = call.path, call.event.method
    if path in routes:
        call.route, allowed = label(path), routes[path]
        return call.refuse(Refusal(405, f"{path} takes {allowed}, not {method[:20]}", headers={"Allow": allowed}))
    return call.refuse(Refusal(404, f"there is no {path[:80]} here; POST /predict is, and GET /openapi.json lists all"))


@app.exception_handler(Refusal)  # type: ignore[untyped-decorator]
def refused(refusal: Refusal) -> Response[Any]:
    """A request that can't be answered as it is."""
    return current().refuse(refusal)


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def unexpected(error: Exception) -> Response[Any]:
    """A fault of ours."""
    call = current()
    telemetry.failed(error, call.id)
    return call.refuse(Refusal(500, "the request could not be answered; it was logged under this id"))


telemetry.ready(forecaster, time.perf_counter() - started)
