"""The schedule of the batch run, as Scheduler describes what the template makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambda_fn.batch.records import Settings
from tests.infra.stack import Stack

pytestmark = pytest.mark.sam


@pytest.fixture
def schedule(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The schedule as Scheduler describes it, once it was created with the template's properties."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    [properties] = stack.of("AWS::Scheduler::Schedule").values()
    target = properties["Target"]
    with mock_aws():
        client = boto3.client("scheduler", region_name="us-east-1")
        client.create_schedule(
            **{name: value for name, value in properties.items() if name == "FlexibleTimeWindow"},
            **{name: value for name, value in properties.items() if name not in ("FlexibleTimeWindow", "Target")},
            Target={
                **target,
                "Arn": f"arn:aws:states:us-east-1:123456789012:stateMachine:{target['Arn']}",
                "RoleArn": "arn:aws:iam::123456789012:role/schedule",
                "DeadLetterConfig": {"Arn": f"arn:aws:sqs:us-east-1:123456789012:{MISSED}"},
            },
        )
        yield client.get_schedule(Name="efemera-batch")


MISSED = "MissedStarts"


def test_the_schedule_is_every_weekday_evening_of_sao_paulo(schedule):
    assert schedule["ScheduleExpression"] == "cron(30 18 ? * MON-FRI *)"
    assert schedule["ScheduleExpressionTimezone"] == "America/Sao_Paulo"
    assert (schedule["State"], schedule["FlexibleTimeWindow"]) == ("ENABLED", {"Mode": "OFF"})


def test_the_schedule_hands_over_the_moment_it_was_due(schedule):
    asked = json.loads(schedule["Target"]["Input"])
    assert asked == {"scheduled": "<aws.scheduler.scheduled-time>"}
    assert asked.keys() <= set(Settings.__struct_fields__)


def test_a_start_that_fails_is_tried_again_and_then_kept(schedule, stack):
    assert schedule["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 7200, "MaximumRetryAttempts": 20}
    [properties] = stack.of("AWS::Scheduler::Schedule").values()
    assert properties["Target"]["DeadLetterConfig"] == {"Arn": f"{MISSED}.Arn"}
    queue = stack[MISSED]
    assert (queue["MessageRetentionPeriod"], queue["SqsManagedSseEnabled"]) == (14 * 86400, True)
