"""Answer the HTTPS API: verify the model at the start, then decode, forecast and encode each event; nothing is kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lambda_fn import MODELS, telemetry
from lambda_fn.api import model_card, open_inference
from lambda_fn.api.event import Request, read_event, request_id_of, seconds_left
from lambda_fn.api.forecast_response import forecast_one, forecast_series
from lambda_fn.api.http_response import PROBLEM, Response, respond
from lambda_fn.api.problem_details import Refusal
from lambda_fn.api.request_body import decode_explain_request, decode_predict_request
from lambda_fn.model.forecaster import DeadlineExceeded, Forecaster, Inference
from lambda_fn.model.manifest import Disagreement

Route = Callable[[Request], Response]


FOLDER = Path(os.environ.get("EFEMERA_MODELS") or MODELS)

started = time.perf_counter()
forecaster = Forecaster(FOLDER)  # verified and warm, before the first request and before a SnapStart snapshot


def handler(event: Any, context: Any) -> Response:
    """Answer one event of an API Gateway HTTP API (payload format 2.0)."""
    begun = time.perf_counter()
    inference = Inference(forecaster, seconds_left(context))
    request: Request | None = None
    try:
        request = read_event(event, context, inference, routes)
        response = find_route(request)(request)
    except Exception as error:
        request = request or Request(request_id_of(context), inference)
        response = refuse(request, error)
    telemetry.write(
        telemetry.Line(
            request.route, response["statusCode"], request.id, time.perf_counter() - begun,
            inference.seconds, inference.series, request.refusals,
            forecaster.manifest.model_version, forecaster.model_digest,
        )
    )  # fmt: skip
    return response


def find_route(request: Request) -> Route:
    """Return the function that answers the request, and name its route. Raises `Refusal` (404, 405)."""
    path, method = request.path, request.method
    if path not in routes:
        raise Refusal(404, f"there is no {path[:80]} here; POST /predict is, and GET /openapi.json lists all")
    # one route for all versions of the model: it is a metric's dimension
    request.route = path.replace(f"/versions/{forecaster.manifest.model_version}", "/versions/{version}")
    if method not in routes[path]:
        allowed = ", ".join(routes[path])
        raise Refusal(405, f"{path} takes {allowed}, not {method[:20]}", headers={"Allow": allowed})
    return routes[path][method]


def refuse(request: Request, error: Exception) -> Response:
    """Answer with the problem details of an exception; a fault of ours is logged. The one map of exceptions to HTTP."""
    match error:
        case Refusal():
            refusal = error
        case DeadlineExceeded():
            refusal = Refusal(503, str(error), headers={"Retry-After": "1"})
        case Disagreement():
            telemetry.logger.error("self-check failed", reason=str(error), request_id=request.id)
            detail = "the explanation did not pass its self-check, so there is none; it was logged under this id"
            refusal = Refusal(500, detail, reason="self-check")
        case _:
            telemetry.failed(error, request.id)
            refusal = Refusal(500, "the request could not be answered; it was logged under this id")
    request.refusals[refusal.reason] = 1
    problem = refusal.problem(request.id)
    if f"{request.path}/".startswith(f"{open_inference.ROOT}/"):
        problem.error = problem.detail
    return respond(request, problem, refusal.status, PROBLEM, refusal.headers)


def predict(request: Request) -> Response:
    """Forecast the series in the body, one or several."""
    body, refused = decode_predict_request(request.json_body(), forecaster.limits)
    if body.prices is not None:
        return respond(request, forecast_one(request.inference, body))
    forecasts = forecast_series(request.inference, body, refused, request.id)
    for refusal in refused.values():
        request.refusals[refusal.reason] = request.refusals.get(refusal.reason, 0) + 1
    return respond(request, forecasts)


def explain(request: Request) -> Response:
    """Explain the forecast of the one series in the body."""
    # few processes explain, and with the weights it would slow every start
    from lambda_fn.api.explain_response import explain_forecast
    from lambda_fn.model.attribution import served_weights

    body = decode_explain_request(request.json_body(), forecaster.limits)
    return respond(request, explain_forecast(request.inference, served_weights(FOLDER, forecaster), body))


def health(request: Request) -> Response:
    """Answer which model is ready: this process has verified it and replayed its golden windows."""
    return respond(request, model_card.state(forecaster))


def model(request: Request) -> Response:
    """Answer with the model card."""
    return respond(request, model_card.read(FOLDER, forecaster))


def openapi(request: Request) -> Response:
    """Answer with the OpenAPI document."""
    return respond(request, model_card.openapi(forecaster, request.base))


def page(request: Request) -> Response:
    """Answer with the page that people use, in a browser."""
    from lambda_fn.api import pages  # few processes are asked by a browser

    return pages.page_response(request, "index.html")


def docs(request: Request) -> Response:
    """Answer with the API's reference, in a browser."""
    from lambda_fn.api import pages

    return pages.page_response(request, "docs.html")


def server_metadata(request: Request) -> Response:
    """Open Inference Protocol: describe the server."""
    return respond(request, open_inference.server())


def live(request: Request) -> Response:
    """Open Inference Protocol: the process runs."""
    return respond(request, open_inference.Live())


def ready(request: Request) -> Response:
    """Open Inference Protocol: a process whose model is not verified and warm has not come this far."""
    return respond(request, open_inference.Ready())


def model_metadata(request: Request) -> Response:
    """Open Inference Protocol: describe the model's tensors."""
    return respond(request, open_inference.metadata(forecaster))


def model_ready(request: Request) -> Response:
    """Open Inference Protocol: as `ready`, of the model."""
    return respond(request, open_inference.ModelReady())


def infer(request: Request) -> Response:
    """Open Inference Protocol: tensors in, tensors out."""
    return respond(request, open_inference.infer(request.inference, open_inference.tensor_body(request)))


def get(route: Route) -> dict[str, Route]:
    """Serve GET and HEAD, whose body API Gateway leaves out."""
    return {"GET": route, "HEAD": route}


routes: dict[str, dict[str, Route]] = {  # path → method → what answers it
    "/predict": {"POST": predict},
    "/explain": {"POST": explain},
    "/health": get(health),
    "/model": get(model),
    "/openapi.json": get(openapi),
    "/": get(page),
    "/docs": get(docs),
    open_inference.ROOT: get(server_metadata),
    f"{open_inference.ROOT}/health/live": get(live),
    f"{open_inference.ROOT}/health/ready": get(ready),
}
for path in open_inference.paths(forecaster):
    routes[path] = get(model_metadata)
    routes[f"{path}/ready"] = get(model_ready)
    routes[f"{path}/infer"] = {"POST": infer}

telemetry.ready(forecaster, time.perf_counter() - started)
