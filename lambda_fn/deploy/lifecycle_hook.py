"""Parts of both lifecycle hooks: the model they were built with, AWS calls bounded in time, the report to CodeDeploy.

Imports the standard library and boto3 alone, as the hooks' package holds no more.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from lambda_fn import MODELS

REPORT_SECONDS = 45.0  # three tries of 10 s to tell CodeDeploy, and the longest pause before them


class OutOfTime(Exception):
    """Another call could end too late for CodeDeploy to be told."""


def read_artefact(name: str) -> Any:
    """Read a JSON file of the model that this package was built with."""
    folder = Path(os.environ.get("EFEMERA_MODELS") or MODELS)
    return json.loads((folder / name).read_bytes())


def model_identity(manifest: Any) -> dict[str, str]:
    """Return a manifest's `model_version` and `model_digest`, as the API's responses carry them."""
    return {"model_version": manifest["model_version"], "model_digest": manifest["files"]["model.onnx"][:12]}


def aws_client(service: str, attempts: int, read_timeout: float) -> Any:
    """Make a boto3 client that retries what AWS throttles, and gives up in bounded time (seconds)."""
    retries = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client(service, config=Config(retries=retries, connect_timeout=5, read_timeout=read_timeout))


@contextlib.contextmanager
def time_limited(client: Any, context: Any, reserve: float = REPORT_SECONDS) -> Iterator[Any]:
    """Keep a client from any try that could leave fewer than `reserve` seconds of Lambda's time.

    Instead of such a try it raises `OutOfTime`.
    """
    longest = client.meta.config.connect_timeout + client.meta.config.read_timeout

    def check(**_: Any) -> None:
        left = context.get_remaining_time_in_millis() / 1e3
        if left < longest + reserve:
            raise OutOfTime(f"{left:.0f} s are left, and a call may take {longest:g} s; {reserve:g} s come after it")

    client.meta.events.register("request-created", check)
    try:
        yield client
    finally:
        client.meta.events.unregister("request-created", check)


def report_status(event: dict[str, Any], succeeded: bool) -> dict[str, str]:
    """Report to CodeDeploy how the hook ended. Raises what boto3 does: a hook that can't report has failed."""
    status = "Succeeded" if succeeded else "Failed"
    aws_client("codedeploy", attempts=3, read_timeout=5).put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )
    return {"status": status}


def log(level: str, message: str, **fields: Any) -> None:
    """Print a log line of JSON; a metric filter counts those whose level is ERROR."""
    sys.stdout.write(json.dumps({"level": level, "message": message, **fields}) + "\n")
