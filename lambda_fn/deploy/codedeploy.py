"""What the two hooks of a deployment share: the model they were built with, calls that end in time, the report.

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

REPORT = 45.0  # s: three tries of 10 s to tell CodeDeploy, and the longest pause before them


class OutOfTime(Exception):
    """Another call could end too late for CodeDeploy to be told."""


def artefact(name: str) -> Any:
    """One JSON file of the model that this package was built with."""
    folder = Path(os.environ.get("EFEMERA_MODELS") or MODELS)
    return json.loads((folder / name).read_bytes())


def model_of(manifest: Any) -> dict[str, str]:
    """Which model that is, in the words of the API's answers."""
    return {"model_version": manifest["model_version"], "model_digest": manifest["files"]["model.onnx"][:12]}


def client(service: str, attempts: int, read_timeout: float) -> Any:
    """A client of boto3 that tries again what AWS throttles, and gives up in bounded time."""
    retries = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client(service, config=Config(retries=retries, connect_timeout=5, read_timeout=read_timeout))


@contextlib.contextmanager
def in_time(caller: Any, context: Any, afterwards: float = REPORT) -> Iterator[Any]:
    """The client, which makes no try that could leave fewer than `afterwards` seconds of Lambda's time.

    Instead of one it raises `OutOfTime`.
    """
    longest = caller.meta.config.connect_timeout + caller.meta.config.read_timeout

    def check(**_: Any) -> None:
        left = context.get_remaining_time_in_millis() / 1e3
        if left < longest + afterwards:
            raise OutOfTime(f"{left:.0f} s are left, and a call may take {longest:g} s; {afterwards:g} s come after it")

    caller.meta.events.register("request-created", check)
    try:
        yield caller
    finally:
        caller.meta.events.unregister("request-created", check)


def report(event: dict[str, Any], succeeded: bool) -> dict[str, str]:
    """Tell CodeDeploy how the hook ended. Raises what boto3 does: who could not tell it has failed."""
    status = "Succeeded" if succeeded else "Failed"
    client("codedeploy", attempts=3, read_timeout=5).put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )
    return {"status": status}


def log(level: str, message: str, **more: Any) -> None:
    """One line of JSON; a metric filter counts those whose level is ERROR."""
    sys.stdout.write(json.dumps({"level": level, "message": message, **more}) + "\n")
