"""The batch run that template.yaml deploys, asked of the CloudFormation that SAM makes of it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from fnmatch import fnmatch
from typing import Any

import pytest

from lambda_fn.batch.records import Settings
from lambda_fn.tables.s3 import client as s3_client
from tests.infra.stack import allowed
from tests.infra.step_functions import FILE, running
from tests.infra.test_state_machine import THURSDAY, put_prices

pytestmark = pytest.mark.sam

TEXT = FILE.read_text(encoding="utf-8")
STEPS = ("Plan", "Batch", "Finish")


def test_every_substitution_of_the_definition_is_made_and_none_besides(stack):
    [machine] = stack.of("AWS::StepFunctions::StateMachine").values()
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == machine["DefinitionSubstitutions"].keys()


def test_the_definition_names_no_account_no_region_and_no_bucket():
    assert not re.search(r"\d{12}|us-east|s3://", TEXT)


def test_what_plan_is_asked_for_are_settings_it_knows():
    settings = json.loads(TEXT)["States"]["Plan"]["Parameters"]["Payload"]["settings"]
    assert settings.keys() <= set(Settings.__struct_fields__)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_runs_its_own_handler_in_its_own_role(stack, step):
    function = stack[f"{step}Function"]
    module = "forecast" if step == "Batch" else step.lower()
    assert function["Handler"] == f"lambda_fn.batch.{module}.handler"
    assert function["Role"] == f"{step}Role.Arn"


def test_the_state_machine_runs_the_live_version_of_each_step_so_that_a_rollback_moves_it_too(stack):
    [machine] = stack.of("AWS::StepFunctions::StateMachine").values()
    for step in STEPS:
        assert machine["DefinitionSubstitutions"][f"{step}Function"] == f"{step}FunctionAliaslive"


def test_step_functions_waits_longer_than_lambda_does_so_that_lambda_says_what_took_so_long(stack):
    states = json.loads(TEXT)["States"]
    tasks = {
        "Plan": states["Plan"],
        "Batch": states["Forecast shards"]["ItemProcessor"]["States"]["Forecast"],
        "Finish": states["Finish"],
    }
    for step, task in tasks.items():
        assert task["Parameters"]["FunctionName"] == f"${{{step}Function}}"
        assert task["TimeoutSeconds"] == stack[f"{step}Function"]["Timeout"] + 30


def test_the_bucket_is_private_encrypted_kept_and_reached_over_tls_alone(stack):
    bucket = stack.resources["Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    [statement] = stack["BucketPolicy"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert set(statement["Resource"]) == {"Bucket.Arn", "Bucket.Arn/*"}
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_what_is_of_no_use_expires_and_nothing_else(stack):
    work, rest = stack["Bucket"]["LifecycleConfiguration"]["Rules"]
    assert (work["Prefix"], work["ExpirationInDays"], work["Status"]) == ("work/", 7, "Enabled")
    assert "ExpirationInDays" not in rest
    assert rest["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    written = json.loads(TEXT)["States"]["Forecast shards"]["ResultWriter"]["Parameters"]["Prefix"]
    assert written.startswith(work["Prefix"])


def test_executions_are_logged_and_traced(stack):
    [machine] = stack.of("AWS::StepFunctions::StateMachine").values()
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ERROR"
    assert stack["StateMachineLogGroup"]["LogGroupName"] == "/aws/vendedlogs/states/efemera-batch"


NEEDED = {"ListObjectsV2": "s3:ListBucket", "GetObject": "s3:GetObject", "HeadObject": "s3:GetObject"}
NEEDED |= {"PutObject": "s3:PutObject"}


def test_the_roles_allow_all_that_two_evenings_do_with_the_bucket(stack, tmp_path, monkeypatch):
    """The second evening scores the first, so that every kind of file is read and written."""
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    done: set[tuple[str, str, str]] = set()  # function, action, resource
    with running() as machine:

        def note(params: dict[str, str], model: Any, **_: Any) -> None:
            action = NEEDED[model.name]
            resource = "Bucket.Arn" if action == "s3:ListBucket" else f"Bucket.Arn/{params['Key']}"
            done.add((machine.calls[-1][0], action, resource))

        s3_client().meta.events.register("before-parameter-build.s3", note)
        for evening in (THURSDAY, THURSDAY + timedelta(4)):
            put_prices(machine, tmp_path, evening)
            assert machine.run(scheduled=f"{evening}T21:30:00Z")["status"] == "SUCCEEDED"
        assert any("scores/" in key for key in machine.versions("scores/"))
    assert len(done) > 20
    for function, action, resource in done:
        patterns = allowed(stack, function.replace("Function", "Role"))[action]
        assert any(fnmatch(resource, pattern) for pattern in patterns), f"{function} may not {action} on {resource}"
