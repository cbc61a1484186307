"""Share the committed model, walks and events between the serving tests. Needs no more than Lambda has."""

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from lambda_fn.model.forecaster import Forecaster

for name in ("POWERTOOLS_LOG_LEVEL", "POWERTOOLS_METRICS_DISABLED", "EFEMERA_BASE_PATH", "EFEMERA_MODELS"):
    os.environ.pop(name, None)  # before any test imports the API, which reads them once

MODELS = Path(__file__).parent.parent.parent / "models"


@pytest.fixture(scope="session")
def forecaster():
    return Forecaster(MODELS)


def walks(count, seed):
    """Seeded walks of 60 closes, (count, 60). By Python's own generator: Lambda's package has no numpy.random."""
    generator = random.Random(seed)
    returns = [[generator.gauss(0, 0.02) for _ in range(60)] for _ in range(count)]
    return 40 * np.exp(np.cumsum(returns, axis=1))


@pytest.fixture
def walk():
    """Sixty closes of a seeded walk."""
    return [round(float(close), 2) for close in walks(1, seed=0)[0]]


def event(body=None, *, method="POST", path="/predict", content_type="application/json", encoded=False):
    """Build an API Gateway HTTP API event, payload 2.0."""
    if body is not None and not isinstance(body, str):
        body = json.dumps(body)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": content_type} if content_type else {},
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "t"},
            "requestId": "request-1",
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": encoded,
    }


class Context:
    """Lambda's context."""

    aws_request_id = "lambda-1"
    function_name = "efemera"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:local:0:function:efemera"

    def get_remaining_time_in_millis(self):
        return 10_000
