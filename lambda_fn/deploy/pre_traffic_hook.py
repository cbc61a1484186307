"""Pre-traffic hook: send the API's new version requests with known responses, and report to CodeDeploy.

The known responses were built into this package: the model's digest, and PyTorch's quantiles of the golden windows.
"""

from __future__ import annotations

import json
import os
import traceback
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from lambda_fn.deploy.lifecycle_hook import (
    OutOfTime,
    aws_client,
    log,
    model_identity,
    read_artefact,
    report_status,
    time_limited,
)

ATTEMPTS = 5  # of one request, where Lambda throttles: up to 15 s of pauses
READ_TIMEOUT = 25.0  # s: the API may take 10 to start or be restored, and has 10 to answer
LARGEST_TOLERANCE = 1e-3  # as in lambda_fn/model/forecaster.py
MOST_FAULTS = 20  # in one log line
BAD_PRICE_POSITION = 7  # in the window that must be refused
JSON, PROBLEM = "application/json", "application/problem+json"


class Unanswered(Exception):
    """The version crashed, did not answer in time, or answered what no HTTP API does; says to which request."""


class Response(NamedTuple):
    """HTTP response of the version."""

    status: int
    media_type: str
    body: Any  # JSON, decoded


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Check the version that NEW_VERSION names, and report.

    What went wrong is logged and reported, not raised: Lambda would run the hook again, to the same end.
    """
    try:
        with time_limited(aws_client("lambda", ATTEMPTS, READ_TIMEOUT), context) as functions:
            faults = check_version(Version(functions, os.environ["NEW_VERSION"], event["DeploymentId"]))
    except (Unanswered, OutOfTime) as fault:
        faults = [str(fault)]
    except Exception as error:
        faults = [f"the check itself failed: {error!r}"]
        log("ERROR", "unexpected error", stack=traceback.format_exc())
    if faults:
        first = faults[:MOST_FAULTS]
        log(
            "ERROR",
            "the new version is refused",
            version=os.environ.get("NEW_VERSION"),
            count=len(faults),
            faults=first,
        )
    else:
        log("INFO", "the new version answers as it must", version=os.environ["NEW_VERSION"])
    return report_status(event, succeeded=not faults)


class Version:
    """One version of the API function, invoked as API Gateway would."""

    def __init__(self, functions: Any, arn: str, deployment: str) -> None:
        self._functions, self._arn, self._request_id = functions, arn, f"hook-{deployment}"
        functions.meta.events.register_first("needs-retry.lambda.Invoke", _raise_read_timeout)

    def request(self, method: str, path: str, body: str | None = None) -> Response:
        """Send one request. Raises `Unanswered`."""
        event = json.dumps(self._event(method, path, body)).encode()
        try:
            invocation = self._functions.invoke(FunctionName=self._arn, InvocationType="RequestResponse", Payload=event)
            payload = invocation["Payload"].read()
        except (BotoCoreError, ClientError) as error:
            raise Unanswered(f"{method} {path}: {' '.join(str(error).split())}") from None
        if "FunctionError" in invocation:
            raise Unanswered(f"{method} {path}: the function failed, {payload.decode(errors='replace')[:500]}")
        try:
            answer = json.loads(payload)
            headers = {name.lower(): value for name, value in answer["headers"].items()}
            return Response(answer["statusCode"], headers["content-type"].partition(";")[0], json.loads(answer["body"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            shown = payload.decode(errors="replace")[:500]
            raise Unanswered(f"{method} {path}: this is no answer of the API: {shown}") from None

    def _event(self, method: str, path: str, body: str | None) -> dict[str, Any]:
        """Build the Lambda event of a request, in the HTTP API's payload format 2.0."""
        http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "hook"}
        request = {"http": http, "requestId": self._request_id, "routeKey": "$default", "stage": "$default"}
        return {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"content-type": JSON},
            "requestContext": request,
            "body": body,
            "isBase64Encoded": False,
        }


def check_version(version: Version) -> list[str]:
    """List all that is wrong with the version's responses, a line each. Raises `Unanswered`."""
    manifest, golden = read_artefact("manifest.json"), read_artefact("golden.json")
    model, windows = model_identity(manifest), golden["prices"]
    faults = _differences(Response(200, JSON, model), version.request("GET", "/health"), "GET /health")

    series = [{"id": f"golden-{number}", "prices": prices} for number, prices in enumerate(windows)]
    response = version.request("POST", "/predict", json.dumps({"series": series}))
    faults += golden_faults(manifest, golden, response)

    prices = [*windows[0][:BAD_PRICE_POSITION], -1.0, *windows[0][BAD_PRICE_POSITION + 1 :]]
    refused = {"status": 422, "errors": [{"pointer": f"/prices/{BAD_PRICE_POSITION}"}]}
    response = version.request("POST", "/predict", json.dumps({"prices": prices}))
    faults += _differences(Response(422, PROBLEM, refused), response, "POST /predict of a negative price")

    response = version.request("POST", "/predict", '{"prices": [')
    faults += _differences(Response(400, PROBLEM, {"status": 400}), response, "POST /predict of half a body")
    return faults


def golden_faults(manifest: Any, golden: Any, response: Response) -> list[str]:
    """List where forecasts of the golden windows are not PyTorch's, within the tolerance of the API's self-check."""
    where, limit = "POST /predict of the golden windows", min(golden["relative_tolerance"], LARGEST_TOLERANCE)
    expected = [
        _forecast(f"golden-{number}", float(prices[-1]), rows, manifest["quantiles"])
        for number, (prices, rows) in enumerate(zip(golden["prices"], golden["quantiles"], strict=True))
    ]
    whole = {**model_identity(manifest), "forecasts": [{"id": forecast["id"]} for forecast in expected]}
    if faults := _differences(Response(200, JSON, whole), response, where):
        return faults
    for number, forecast in enumerate(expected):
        place = f"{where}: /forecasts/{number}"
        faults += _value_differences(forecast, response.body["forecasts"][number], place, limit, forecast["last_price"])
    return faults


def _forecast(name: str, last: float, rows: list[list[float]], quantiles: list[float]) -> dict[str, Any]:
    """Build the API's forecast of one series from its price quantiles `rows` (horizon, quantiles)."""
    half = len(quantiles) // 2
    levels = {interval_name(quantiles[low]): (low, len(quantiles) - 1 - low) for low in range(half)}
    steps = [
        {
            "step": step,
            "median": float(row[half]),
            "intervals": {level: [float(row[low]), float(row[high])] for level, (low, high) in levels.items()},
        }
        for step, row in enumerate(rows, start=1)
    ]
    predicted = float(rows[0][half])
    return {"id": name, "predicted_price": predicted, "last_price": last, "naive_price": last, "steps": steps}


def interval_name(quantile: float) -> str:
    """Return the API's name of the interval that begins at this quantile: 0.1 begins "80"."""
    return f"{round((1 - 2 * quantile) * 100, 6):g}"


def _differences(expected: Response, actual: Response, where: str) -> list[str]:
    """List where a response differs in status, media type, or anything that the expected body holds."""
    if actual.status != expected.status:
        return [f"{where}: status {actual.status}, not {expected.status}: {_short(actual.body)}"]
    faults = []
    if actual.media_type != expected.media_type:
        faults.append(f"{where}: {actual.media_type}, not {expected.media_type}")
    return faults + _value_differences(expected.body, actual.body, f"{where}: ")


def _value_differences(expected: Any, actual: Any, where: str, limit: float = 0.0, last: float = 0.0) -> list[str]:
    """List where `actual` lacks or contradicts something of `expected`.

    Prices are floats: they may be off by `limit` of the series' `last` price, or of themselves where they are larger.
    """
    pairs: list[tuple[Any, Any, Any]]
    if isinstance(expected, dict) and isinstance(actual, dict):
        pairs = [(key, value, actual.get(key)) for key, value in expected.items()]
    elif isinstance(expected, list) and isinstance(actual, list) and len(actual) == len(expected):
        pairs = [(place, *both) for place, both in enumerate(zip(expected, actual, strict=True))]
    elif isinstance(expected, float) and type(actual) in (int, float):  # no bool
        off = abs(actual - expected) / max(abs(expected), last)
        return (
            []
            if off <= limit
            else [f"{where} is {actual}, not {expected}: off by {off:.2g}, at most {limit:.2g} may be"]
        )
    else:
        is_same = type(actual) is type(expected) and actual == expected
        return [] if is_same else [f"{where} is {_short(actual)}, not {_short(expected)}"]
    return [
        fault
        for name, value, other in pairs
        for fault in _value_differences(value, other, f"{where}/{name}", limit, last)
    ]


def _short(value: Any) -> str:
    """Shorten a JSON value to 200 characters, for a message."""
    return json.dumps(value)[:200]


def _raise_read_timeout(caught_exception: Exception | None = None, **_: Any) -> None:
    """Refuse a version that did not answer in time; boto3 would try again, as after a throttle."""
    if isinstance(caught_exception, ReadTimeoutError):
        raise caught_exception
