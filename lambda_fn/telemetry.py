"""Log one line a request, metric and log in one (CloudWatch's embedded metric format), and few others.

Powertools makes the formats; its variables POWERTOOLS_METRICS_NAMESPACE, POWERTOOLS_SERVICE_NAME, POWERTOOLS_LOG_LEVEL
and POWERTOOLS_METRICS_DISABLED work as documented. No price, no body, nothing that a client wrote is ever in a line.
"""

from __future__ import annotations

import datetime
import os
import sys
import time
import traceback
from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics.functions import is_metrics_disabled
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from lambda_fn.model.forecaster import Forecaster

SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME") or "efemera"
SESSIONS_LEFT = 90  # days: with fewer, dates of forecasts are about to run out
TIMES = {"Latency", "InferenceTime"}  # in milliseconds; the other metrics are counts

_provider = AmazonCloudWatchEMFProvider(
    namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or "Efemera", service=SERVICE
)
_provider.dimension_sets.append({"service": SERVICE})  # every metric by service and route, and by service alone
logger = Logger(service=SERVICE)
_encode = msgspec.json.Encoder().encode
_silent = is_metrics_disabled()
_cold = True


class Line(msgspec.Struct):
    """Log line of one request."""

    route: str  # one of the API's own, never the path a client wrote
    status: int
    request_id: str
    seconds: float  # from the event to the answer
    inference_seconds: float  # of these, inside onnxruntime
    series: int  # forecast
    refusals: dict[str, int]  # reason → how many series, or the one request
    model_version: str
    model_digest: str


def ready(forecaster: Forecaster, seconds: float) -> None:
    """Log at the start which model is served, and warn of what someone should look at."""
    logger.info(
        "ready",
        model_version=forecaster.manifest.model_version,
        model_digest=forecaster.model_digest,
        verdict=forecaster.verdict,
        self_check=forecaster.self_check,
        milliseconds=round(seconds * 1e3, 1),
    )
    if forecaster.verdict == "rejected":
        logger.warning("the model served was rejected by its evaluation", model_digest=forecaster.model_digest)
    last = forecaster.sessions.last
    if last is not None and last < str(datetime.date.today() + datetime.timedelta(SESSIONS_LEFT)):
        logger.warning("sessions.json ends soon: freeze it again with `efemera data sessions`", last=last)


def failed(error: Exception, request_id: str) -> None:
    """Log a fault of ours with its stack, and without its message, which may hold a price."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger.error("unexpected error", error=type(error).__name__, stack=stack, request_id=request_id)


def write(line: Line) -> None:
    """Print the line; the first one of a process also says that its start was a cold one."""
    global _cold
    cold, _cold = _cold, False
    if _silent:
        return
    metrics: dict[str, float] = {"Latency": round(line.seconds * 1e3, 3), "Series": line.series}
    if line.series:
        metrics["InferenceTime"] = round(line.inference_seconds * 1e3, 3)
    if cold:
        metrics["ColdStart"] = 1
    for reason, count in line.refusals.items():
        metrics["Refused" + reason.title().replace("-", "")] = count
    members = {
        "_aws": {"Timestamp": int(time.time() * 1e3), "CloudWatchMetrics": _directive(tuple(metrics))},
        "service": SERVICE,
        "route": line.route,
        "status": line.status,
        "request_id": line.request_id,
        "model_version": line.model_version,
        "model_digest": line.model_digest,
        "cold_start": cold,
        "refusals": line.refusals,
        **metrics,
    }
    sys.stdout.write(_encode(members).decode() + "\n")  # in one piece; `print` would flush twice on Lambda


@cache
def _directive(names: tuple[str, ...]) -> Any:
    """Declare which members of a line are metrics, by Powertools, once for each set of them."""
    units = {name: {"Unit": "Milliseconds" if name in TIMES else "Count", "Value": 0} for name in names}
    embedded = _provider.serialize_metric_set(units, {"service": SERVICE, "route": ""}, {})
    return embedded["_aws"]["CloudWatchMetrics"]
