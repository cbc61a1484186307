"""Run inside Lambda's image by test_package_in_lambda.py: every kind of answer, from the package in /var/task alone.

The last line it prints is a JSON object: the statuses, and the process's largest resident memory in MB.
"""

from __future__ import annotations

import json
import resource
import sys
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, "/var/task")  # python -I leaves out everything else that is not the standard library

import lambda_fn.api.handler
from lambda_fn.api.handler import handler

LEFT = 10_000  # milliseconds of an invocation


def answer(method: str, path: str, body: str | None = None, **headers: str) -> dict[str, Any]:
    """The handler's answer to one event of payload format 2.0."""
    request = {"http": {"method": method, "path": path}, "requestId": "1", "stage": "$default"}
    event = {"version": "2.0", "rawPath": path, "headers": headers, "requestContext": request, "body": body}
    context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: LEFT)
    return handler({**event, "isBase64Encoded": False}, context)


def fail(*_: object) -> None:
    """Stands in for a fault of ours."""
    raise RuntimeError


most = json.dumps({"prices": [10.0 + step % 7 for step in range(5000)]})
several = [{"id": str(number), "prices": [10.0 + number + step % 7 for step in range(60)]} for number in range(1000)]
tensor = {"name": "prices", "datatype": "FP64", "shape": [1000, 60], "data": [one["prices"] for one in several]}
answers = [
    answer("GET", "/health"),
    answer("GET", "/model"),
    answer("GET", "/openapi.json", **{"accept-encoding": "gzip"}),
    answer("POST", "/v2/models/efemera/infer", json.dumps({"inputs": [tensor]})),
    answer("POST", "/predict", json.dumps({"series": several, "last_date": "2026-11-19", "calendar": "BVMF"})),
    answer("POST", "/predict", most),
    answer("POST", "/explain", json.dumps({"prices": several[0]["prices"], "detail": "full"})),
    answer("GET", "/"),
    answer("GET", "/docs"),
    answer("POST", "/predict", "{"),
    answer("GET", "/nowhere"),
    answer("PUT", "/predict"),
    answer("POST", "/predict", most, **{"content-type": "text/csv"}),
    answer("POST", "/predict", '{"prices": [NaN]}'),
]
LEFT = 1
answers.append(answer("POST", "/predict", most))
LEFT = 10_000
lambda_fn.api.handler.forecast_one = fail  # type: ignore[assignment]
answers.append(answer("POST", "/predict", most))
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
sys.stdout.write(json.dumps({"statuses": [found["statusCode"] for found in answers], "megabytes": megabytes}) + "\n")
