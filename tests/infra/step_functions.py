"""Run infra/batch.asl.json under moto's interpreter, with the real handlers behind its Lambda tasks.

S3 and SNS are moto's, in this process. Three of moto's own functions are replaced: the call of a Lambda function, which
becomes a call of our handler; and the two that would really wait, which write down for how long.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.seconds import Seconds
from moto.stepfunctions.parser.utils import TMP_THREADS

from lambda_fn.batch import finish, forecast, plan
from lambda_fn.tables.s3 import client as s3_client
from tests.infra.conftest import ROOT

FILE = ROOT / "infra" / "batch.asl.json"
BUCKET = "market"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"
SUBSTITUTIONS = {
    "Partition": "aws",
    "PlanFunction": f"{FUNCTION}PlanFunction:live",
    "BatchFunction": f"{FUNCTION}BatchFunction:live",
    "FinishFunction": f"{FUNCTION}FinishFunction:live",
    "Prices": f"s3://{BUCKET}/prices/",
    "Out": f"s3://{BUCKET}",
    "Bucket": BUCKET,
    "Calendar": "BVMF",
    "TimeZone": "America/Sao_Paulo",
    "MaxConcurrency": "4",
}
HANDLERS = {"PlanFunction": plan.handler, "BatchFunction": forecast.handler, "FinishFunction": finish.handler}

Hook = Callable[[dict[str, Any]], None]


def substituted(text: str, **values: str) -> dict[str, Any]:
    """Substitute in the definition's text, as CloudFormation does."""
    return json.loads(re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text))


def for_moto(definition: Any) -> Any:
    """Make the definition one that moto can parse: it reads a tolerated percentage only with a decimal point."""
    if isinstance(definition, list):
        return [for_moto(one) for one in definition]
    if not isinstance(definition, dict):
        return definition
    return {
        key: float(value) if key == "ToleratedFailurePercentage" else for_moto(value)
        for key, value in definition.items()
    }


class Machine:
    """The state machine, its bucket and its topic. Functions run one after another."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []  # of functions: name and event
        self.waits: list[int] = []  # seconds of Wait states
        self.delays: list[float] = []  # seconds before retries
        self.before: dict[str, Hook] = {}  # function → what happens before each of its calls; it hears the event
        self.after: dict[str, Hook] = {}  # function → what happens after each of its calls; it hears the answer
        self.on_wait: Callable[[int], None] = lambda _: None  # hears the number of the wait
        self._one, self._numbers = threading.Lock(), itertools.count(1)
        self.s3, sqs, self.sns = boto3.client("s3"), boto3.client("sqs"), boto3.client("sns")
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.topic = self.sns.create_topic(Name="told")["TopicArn"]
        self._queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)
        self._sqs = sqs
        self._steps = boto3.client("stepfunctions")
        definition = substituted(FILE.read_text(encoding="utf-8"), **SUBSTITUTIONS, Topic=self.topic)
        self._arn = self._steps.create_state_machine(
            name="efemera-batch",
            definition=json.dumps(for_moto(definition)),
            roleArn="arn:aws:iam::123456789012:role/efemera",
        )["stateMachineArn"]

    def start(self, **asked: Any) -> str:
        """Start an execution with this input; its ARN."""
        started = self._steps.start_execution(
            stateMachineArn=self._arn, name=f"evening-{next(self._numbers)}", input=json.dumps(asked)
        )
        return started["executionArn"]

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait for the end of an execution; return its description."""
        for thread in TMP_THREADS:  # which grows as the execution goes on
            thread.join(timeout=120)
        found = self._steps.describe_execution(executionArn=execution)
        assert found["status"] != "RUNNING", self.calls
        return found

    def run(self, **asked: Any) -> dict[str, Any]:
        """Start an execution and wait for its end."""
        return self.ended(self.start(**asked))

    def called(self, function: str) -> list[dict[str, Any]]:
        """List the events that a function was called with."""
        return [event for name, event in self.calls if name == function]

    def told(self) -> list[tuple[str, str]]:
        """Receive subject and message of what was published to the topic since the last look."""
        found = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
        for one in found:
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=one["ReceiptHandle"])
        bodies = [json.loads(one["Body"]) for one in found]
        return [(body["Subject"], body["Message"]) for body in bodies]

    def versions(self, prefix: str) -> dict[str, int]:
        """Count how often each object below a prefix was written."""
        found: dict[str, int] = {}
        for one in self.s3.list_object_versions(Bucket=BUCKET, Prefix=prefix).get("Versions", []):
            found[one["Key"]] = found.get(one["Key"], 0) + 1
        return found

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - as boto3's client is called
        """Answer as Lambda does: with the handler's output, or the runtime's error where the handler raises."""
        name, event = FunctionName.split(":")[-2], json.loads(Payload)
        with self._one:
            self.calls.append((name, event))
            try:
                self.before.get(name, lambda _: None)(event)
                answer, failed = HANDLERS[name](event, None), {}
                self.after.get(name, lambda _: None)(answer)
            except ClientError:  # of Lambda itself: the function was not even called
                raise
            except Exception as error:
                kind = getattr(error, "error_type", type(error).__name__)
                answer = {"errorMessage": str(error), "errorType": kind, "requestId": "1", "stackTrace": ["…"]}
                failed = {"FunctionError": "Unhandled"}
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode()), **failed}


class WorkerDied(Exception):
    """Lambda's error for a process that ended, as for want of memory."""

    error_type = "Runtime.ExitError"


def throttled() -> ClientError:
    """Make Lambda's error for one call too many."""
    error = {"Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}}
    return ClientError(error | {"ResponseMetadata": {"HTTPStatusCode": 429, "RequestId": "1"}}, "Invoke")


@contextmanager
def running() -> Iterator[Machine]:
    """Start a state machine in an AWS of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3_client.cache_clear()
        with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
            machine = Machine()

            def wait(state: Seconds, env: Any) -> int:
                assert env is not None
                machine.waits.append(state.seconds)
                machine.on_wait(len(machine.waits))
                return 0

            patch.setattr(lambda_eval_utils, "boto_client_for", lambda **_: machine)
            patch.setattr(Seconds, "_get_wait_seconds", wait)
            patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=machine.delays.append))
            yield machine
        s3_client.cache_clear()
