"""Before traffic: asks the new version of the API for answers that are known, and tells CodeDeploy whether they came.

What is known was built with this very package: the model's digest, and PyTorch's answers to the golden windows.
"""

from __future__ import annotations

import json
import os
import traceback
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from lambda_fn.deploy.codedeploy import OutOfTime, artefact, client, in_time, log, model_of, report

ATTEMPTS = 5  # of one request, where Lambda throttles: up to 15 s of pauses
LONGEST = 25.0  # s: the API may take 10 to start or be restored, and has 10 to answer
LARGEST_TOLERANCE = 1e-3  # as in lambda_fn/model/forecaster.py
MOST_FAULTS = 20  # in one log line
BAD_PLACE = 7  # of a price that is none
JSON, PROBLEM = "application/json", "application/problem+json"


class Unanswered(Exception):
    """The version crashed, did not answer in time, or answered what no HTTP API does; says to which request."""


class Answer(NamedTuple):
    """What the version answered."""

    status: int
    kind: str  # the media type
    body: Any  # JSON, decoded


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Check the version that NEW_VERSION names, and report.

    What went wrong is logged and reported, not raised: Lambda would run the hook again, to the same end.
    """
    try:
        with in_time(client("lambda", ATTEMPTS, LONGEST), context) as caller:
            faults = check(Version(caller, os.environ["NEW_VERSION"], event["DeploymentId"]))
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
    return report(event, succeeded=not faults)


class Version:
    """One version of the API function, asked as API Gateway would ask it."""

    def __init__(self, caller: Any, arn: str, deployment: str) -> None:
        self._caller, self._arn, self._request_id = caller, arn, f"hook-{deployment}"
        caller.meta.events.register_first("needs-retry.lambda.Invoke", _do_not_ask_again)

    def ask(self, method: str, path: str, body: str | None = None) -> Answer:
        """The answer to one request. Raises `Unanswered`."""
        event = json.dumps(self._event(method, path, body)).encode()
        try:
            found = self._caller.invoke(FunctionName=self._arn, InvocationType="RequestResponse", Payload=event)
            payload = found["Payload"].read()
        except (BotoCoreError, ClientError) as error:
            raise Unanswered(f"{method} {path}: {' '.join(str(error).split())}") from None
        if "FunctionError" in found:
            raise Unanswered(f"{method} {path}: the function failed, {payload.decode(errors='replace')[:500]}")
        try:
            answer = json.loads(payload)
            headers = {name.lower(): value for name, value in answer["headers"].items()}
            return Answer(answer["statusCode"], headers["content-type"].partition(";")[0], json.loads(answer["body"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            said = payload.decode(errors="replace")[:500]
            raise Unanswered(f"{method} {path}: this is no answer of the API: {said}") from None

    def _event(self, method: str, path: str, body: str | None) -> dict[str, Any]:
        """A request in the HTTP API's payload format 2.0."""
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


def check(version: Version) -> list[str]:
    """Everything that is wrong with the version's answers, a line each. Raises `Unanswered`."""
    manifest, golden = artefact("manifest.json"), artefact("golden.json")
    model, windows = model_of(manifest), golden["prices"]
    faults = _differences(Answer(200, JSON, model), version.ask("GET", "/health"), "GET /health")

    series = [{"id": f"golden-{number}", "prices": prices} for number, prices in enumerate(windows)]
    answer = version.ask("POST", "/predict", json.dumps({"series": series}))
    faults += golden_faults(manifest, golden, answer)

    prices = [*windows[0][:BAD_PLACE], -1.0, *windows[0][BAD_PLACE + 1 :]]
    refused = {"status": 422, "errors": [{"pointer": f"/prices/{BAD_PLACE}"}]}
    answer = version.ask("POST", "/predict", json.dumps({"prices": prices}))
    faults += _differences(Answer(422, PROBLEM, refused), answer, "POST /predict of a negative price")

    answer = version.ask("POST", "/predict", '{"prices": [')
    faults += _differences(Answer(400, PROBLEM, {"status": 400}), answer, "POST /predict of half a body")
    return faults


def golden_faults(manifest: Any, golden: Any, answer: Answer) -> list[str]:
    """Where the answer to all golden windows is not PyTorch's, measured as the API measures itself at its start."""
    where, limit = "POST /predict of the golden windows", min(golden["relative_tolerance"], LARGEST_TOLERANCE)
    expected = [
        _forecast(f"golden-{number}", float(prices[-1]), rows, manifest["quantiles"])
        for number, (prices, rows) in enumerate(zip(golden["prices"], golden["quantiles"], strict=True))
    ]
    whole = {**model_of(manifest), "forecasts": [{"id": forecast["id"]} for forecast in expected]}
    if faults := _differences(Answer(200, JSON, whole), answer, where):
        return faults
    for number, forecast in enumerate(expected):
        place = f"{where}: /forecasts/{number}"
        faults += _value_differences(forecast, answer.body["forecasts"][number], place, limit, forecast["last_price"])
    return faults


def _forecast(name: str, last: float, rows: list[list[float]], quantiles: list[float]) -> dict[str, Any]:
    """What the API answers of one series whose price quantiles are `rows`, (horizon, quantiles)."""
    half = len(quantiles) // 2
    levels = {interval(quantiles[low]): (low, len(quantiles) - 1 - low) for low in range(half)}
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


def interval(quantile: float) -> str:
    """The API's name of the interval that begins at this quantile: 0.1 begins "80"."""
    return f"{round((1 - 2 * quantile) * 100, 6):g}"


def _differences(expected: Answer, found: Answer, where: str) -> list[str]:
    """How an answer differs in status, media type, or anything that the expected body holds."""
    if found.status != expected.status:
        return [f"{where}: status {found.status}, not {expected.status}: {_short(found.body)}"]
    faults = [] if found.kind == expected.kind else [f"{where}: {found.kind}, not {expected.kind}"]
    return faults + _value_differences(expected.body, found.body, f"{where}: ")


def _value_differences(expected: Any, found: Any, where: str, limit: float = 0.0, last: float = 0.0) -> list[str]:
    """Where `found` lacks or contradicts something of `expected`.

    Prices are floats: they may be off by `limit` of the series' `last` price, or of themselves where they are larger.
    """
    pairs: list[tuple[Any, Any, Any]]
    if isinstance(expected, dict) and isinstance(found, dict):
        pairs = [(key, value, found.get(key)) for key, value in expected.items()]
    elif isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        pairs = [(place, *both) for place, both in enumerate(zip(expected, found, strict=True))]
    elif isinstance(expected, float) and type(found) in (int, float):  # no bool
        off = abs(found - expected) / max(abs(expected), last)
        return (
            []
            if off <= limit
            else [f"{where} is {found}, not {expected}: off by {off:.2g}, at most {limit:.2g} may be"]
        )
    else:
        is_same = type(found) is type(expected) and found == expected
        return [] if is_same else [f"{where} is {_short(found)}, not {_short(expected)}"]
    return [
        fault
        for name, value, other in pairs
        for fault in _value_differences(value, other, f"{where}/{name}", limit, last)
    ]


def _short(value: Any) -> str:
    return json.dumps(value)[:200]


def _do_not_ask_again(caught_exception: Exception | None = None, **_: Any) -> None:
    """A version that did not answer in time is refused; boto3 would try again, as after a throttle."""
    if isinstance(caught_exception, ReadTimeoutError):
        raise caught_exception
