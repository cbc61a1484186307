"""The state machine as it is written: bounds of time and of tries, and that every failure is told."""

from __future__ import annotations

import re

import pytest

from tests.infra.step_functions import (
    FILE,
    SUBSTITUTIONS,
    substituted,
)

TEXT = FILE.read_text(encoding="utf-8")
STATES = substituted(TEXT, **SUBSTITUTIONS, Topic="topic")["States"]
TASKS = {
    "Plan": STATES["Plan"],
    "Forecast": STATES["Forecast shards"]["ItemProcessor"]["States"]["Forecast"],
    "Finish": STATES["Finish"],
    "Notify": STATES["Notify"],
}


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_time_limit_and_is_tried_again_within_bounds(name):
    task = TASKS[name]
    assert task["TimeoutSeconds"] > 0
    for retrier in task["Retry"]:
        assert retrier["JitterStrategy"] == "FULL"
        assert 0 < retrier["MaxAttempts"] <= 10
        assert retrier["BackoffRate"] == 2
        assert 0 < retrier["IntervalSeconds"] < retrier["MaxDelaySeconds"] <= 120


@pytest.mark.parametrize("name", ["Plan", "Forecast", "Finish"])
def test_no_refusal_is_tried_again(name):
    """A refusal is what lambda_fn raises, save for the one that says that S3 asks for patience."""
    again = {error for retrier in TASKS[name]["Retry"] for error in retrier["ErrorEquals"]}
    assert {error for error in again if "." not in error} == {"StoreUnavailable"}
    assert not any(error in again for error in ("States.ALL", "States.TaskFailed"))
    assert {"Lambda.TooManyRequestsException", "Sandbox.Timedout", "Runtime.ExitError", "States.Timeout"} <= again


def test_every_failure_is_told():
    for name in ("Plan", "Forecast shards", "Finish"):
        assert STATES[name]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
        assert STATES[name]["Catch"][-1]["Next"] == "Raised by a handler?"
    first = STATES["Forecast shards"]["Catch"][0]  # moto tolerates any share of failures, so this can't be run
    assert (first["ErrorEquals"], first["Next"]) == (["States.ExceedToleratedFailureThreshold"], "Finish")


def test_the_whole_ends_before_the_next_evening_and_after_every_wait():
    whole = substituted(TEXT, **SUBSTITUTIONS, Topic="topic")["TimeoutSeconds"]
    waits = 4 * STATES["Wait for prices"]["Seconds"]
    assert waits + 5 * TASKS["Plan"]["TimeoutSeconds"] + TASKS["Finish"]["TimeoutSeconds"] < whole < 86400


def test_how_long_prices_are_waited_for_is_told_as_it_is():
    told = STATES["Prices not arrived"]["Parameters"]["Cause.$"]
    [minutes] = re.findall(r"four waits of (\d+) minutes", told)
    assert int(minutes) * 60 == STATES["Wait for prices"]["Seconds"]


def test_the_page_beside_it_names_errors_that_there_are():
    page = (FILE.parent / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Za-z]+[a-z][A-Z][A-Za-z]+)`", page))
    code = "".join(path.read_text(encoding="utf-8") for path in (FILE.parent.parent / "lambda_fn").rglob("*.py"))
    raised = set(re.findall(r"^class (\w+)\(", code, re.M))
    template = set(re.findall(r"\w+", (FILE.parent.parent / "template.yaml").read_text(encoding="utf-8")))
    assert {"PricesNotArrived", "Incomplete", "StoreUnavailable"} & named
    assert named - template <= raised | {"PricesNotArrived", "StepFunctions", "TimeoutSeconds"}
