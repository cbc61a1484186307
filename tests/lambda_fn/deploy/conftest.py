"""Fixtures of the hooks' tests: AWS on this machine, the events of CodeDeploy, the log."""

from __future__ import annotations

import json
import time
import types
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.lambda_fn.conftest import MODELS
from tests.lambda_fn.deploy.stand_in import Aws, serving

EVENTS = Path(__file__).parent.parent.parent / "events"


class Lambda:
    """Lambda's context, with its remaining time."""

    def __init__(self, seconds: float = 120) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def event(name: str) -> dict[str, str]:
    """Read the event that CodeDeploy sends a hook."""
    return json.loads((EVENTS / f"codedeploy_{name}.json").read_text(encoding="utf-8"))


@cache
def session() -> boto3.Session:
    """One session for all tests: each new one reads the descriptions of the services anew."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Lambda and CodeDeploy, where boto3 finds them."""
    found = Aws()
    with serving(found) as address:
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session())
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", address)
        monkeypatch.setenv("AWS_ENDPOINT_URL_CODEDEPLOY", address)
        monkeypatch.setenv("EFEMERA_MODELS", str(MODELS))
        yield found


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect the pauses that boto3 would have made, in seconds."""
    made: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=made.append, time=time.time))
    return made


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Callable[[str], list[dict[str, Any]]]:
    """Read the lines of a level that the hook has logged so far, without the API's own."""
    lines: list[dict[str, Any]] = []

    def read(level: str) -> list[dict[str, Any]]:
        lines.extend(json.loads(line) for line in capsys.readouterr().out.splitlines())
        return [line for line in lines if line.get("level") == level and "service" not in line]

    return read
