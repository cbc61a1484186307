"""The batch run that template.yaml deploys, asked of the CloudFormation that SAM makes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatch
from typing import Any

import pytest

from lambda_fn import store
from lambda_fn.batch_run import Settings
from tests.infra.step_functions import FILE, running
from tests.infra.test_state_machine import THURSDAY, put_prices
from tests.infra.test_template import resources

pytestmark = pytest.mark.sam

TEXT = FILE.read_text(encoding="utf-8")
STEPS = ("Plan", "Batch", "Finish")
# Actions for which the service knows no resource, by its own table of actions.
OF_NO_RESOURCE = {
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
}


def listed(value: Any) -> list[Any]:
    """What IAM takes as one or as several, as several."""
    return value if isinstance(value, list) else [value]


def statements(template: dict[str, Any], role: str) -> Iterator[tuple[str, set[str]]]:
    """Each action that a role allows, with the resources it allows it on."""
    for policy in template["Resources"][role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            for action in listed(statement["Action"]):
                yield action, {resolved(resource, template) for resource in listed(statement["Resource"])}


def allowed(template: dict[str, Any], role: str) -> dict[str, set[str]]:
    """What a role may do, on what."""
    found: dict[str, set[str]] = {}
    for action, on in statements(template, role):
        found.setdefault(action, set()).update(on)
    return found


def resolved(value: Any, template: dict[str, Any]) -> str:
    """A value as a stack named efemera would have it; of a resource its logical id."""
    if isinstance(value, str):
        return value
    ((kind, of),) = value.items()
    if kind == "Ref":
        pseudo = {"Partition": "aws", "Region": "us-east-1", "AccountId": "123456789012", "StackName": "efemera"}
        if of.startswith("AWS::"):
            return pseudo[of.removeprefix("AWS::")]
        parameter = template["Parameters"].get(of)
        return str(parameter["Default"]) if parameter else of
    if kind == "Fn::GetAtt":
        return ".".join(of)
    assert kind == "Fn::Sub", kind
    text, names = (of, {}) if isinstance(of, str) else of

    def put(found: re.Match[str]) -> str:
        name = found[1]
        if name in names:
            return resolved(names[name], template)
        return name if "." in name else resolved({"Ref": name}, template)

    return re.sub(r"\$\{([\w.:]+)\}", put, text)


def test_the_resolver_reads_what_cloudformation_would():
    template = {"Parameters": {"Zone": {"Default": 7}}}
    assert resolved({"Fn::Sub": "a:${AWS::Region}/${Bucket.Arn}/${Zone}"}, template) == "a:us-east-1/Bucket.Arn/7"
    assert resolved({"Fn::Sub": ["${X}!", {"X": {"Ref": "AWS::StackName"}}]}, template) == "efemera!"


def test_every_substitution_of_the_definition_is_made_and_none_besides(translated):
    [machine] = resources(translated, "AWS::StepFunctions::StateMachine").values()
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == machine["DefinitionSubstitutions"].keys()


def test_the_definition_names_no_account_no_region_and_no_bucket():
    assert not re.search(r"\d{12}|us-east|s3://", TEXT)


def test_what_plan_is_asked_for_are_settings_it_knows():
    settings = json.loads(TEXT)["States"]["Plan"]["Parameters"]["Payload"]["settings"]
    assert settings.keys() <= set(Settings.__struct_fields__)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_runs_its_own_handler_in_its_own_role_and_log(translated, step):
    function = translated["Resources"][f"{step}Function"]["Properties"]
    assert function["Handler"] == f"lambda_fn.{step.lower()}.handler"
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == [{"Ref": "Architecture"}]
    assert function["Role"] == {"Fn::GetAtt": [f"{step}Role", "Arn"]}
    assert function["LoggingConfig"]["LogGroup"] == {"Ref": f"{step}LogGroup"}
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["Environment"]["Variables"] == {
        "POWERTOOLS_SERVICE_NAME": "efemera",
        "POWERTOOLS_METRICS_NAMESPACE": "Efemera",
    }


def test_step_functions_waits_longer_than_lambda_does_so_that_lambda_says_what_took_so_long(translated):
    states = json.loads(TEXT)["States"]
    tasks = {
        "Plan": states["Plan"],
        "Batch": states["Forecast shards"]["ItemProcessor"]["States"]["Forecast"],
        "Finish": states["Finish"],
    }
    for step, task in tasks.items():
        assert task["Parameters"]["FunctionName"] == f"${{{step}Function}}"
        assert task["TimeoutSeconds"] == translated["Resources"][f"{step}Function"]["Properties"]["Timeout"] + 30


def test_each_role_may_do_exactly_this(translated):
    log = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}
    reads = {
        "Plan": {"Bucket.Arn/prices/*", "Bucket.Arn/runs/*/_SUCCESS.json"},
        "Batch": {"Bucket.Arn/work/*", "Bucket.Arn/runs/*"},
        "Finish": {"Bucket.Arn/runs/*", "Bucket.Arn/scores/*"},
    }
    writes = {
        "Plan": {"Bucket.Arn/runs/*/plan.json", "Bucket.Arn/work/*"},
        "Batch": {f"Bucket.Arn/runs/*/{folder}/*" for folder in ("forecasts", "status", "done")},
        "Finish": {"Bucket.Arn/runs/*/_SUCCESS.json", "Bucket.Arn/scores/*"},
    }
    for step in STEPS:
        found = allowed(translated, f"{step}Role")
        assert found.keys() == {*log, "s3:ListBucket", "s3:GetObject", "s3:PutObject"}
        assert found["logs:PutLogEvents"] == {f"{step}LogGroup.Arn"}
        assert found["s3:ListBucket"] == {"Bucket.Arn"}
        assert (found["s3:GetObject"], found["s3:PutObject"]) == (reads[step], writes[step])


def test_the_state_machine_may_run_its_steps_its_own_children_and_tell(translated):
    found = allowed(translated, "StateMachineRole")
    states = "arn:aws:states:us-east-1:123456789012"
    assert found["states:StartExecution"] == {f"{states}:stateMachine:efemera-batch"}
    children = {f"{states}:execution:efemera-batch:*", f"{states}:execution:efemera-batch/*"}
    assert found["states:DescribeExecution"] == found["states:StopExecution"] == children
    assert found["lambda:InvokeFunction"] == {f"{step}Function.Arn" for step in STEPS}
    assert found["s3:GetObject"] == {"Bucket.Arn/work/*/shards.json", "Bucket.Arn/work/results/*"}
    assert found["s3:PutObject"] == {"Bucket.Arn/work/results/*"}
    assert found["sns:Publish"] == {"Topic"}
    assert found["kms:GenerateDataKey"] == {"TopicKey.Arn"}
    [machine] = resources(translated, "AWS::StepFunctions::StateMachine").values()
    assert resolved(machine["StateMachineName"], translated) == "efemera-batch"
    assert machine["RoleArn"] == {"Fn::GetAtt": ["StateMachineRole", "Arn"]}


def test_the_schedule_may_start_the_state_machine_or_say_that_it_could_not(translated):
    assert allowed(translated, "ScheduleRole") == {
        "states:StartExecution": {"BatchStateMachine"},
        "sqs:SendMessage": {"MissedStarts.Arn"},
    }


def test_no_role_may_do_anything_on_everything_where_a_resource_can_be_named(translated):
    roles = resources(translated, "AWS::IAM::Role")
    assert roles.keys() == {f"{name}Role" for name in ("Api", *STEPS, "StateMachine", "Schedule")}
    for name, role in roles.items():
        assert "ManagedPolicyArns" not in role
        for action, on in statements(translated, name):
            assert "*" not in action
            assert "*" not in on or action in OF_NO_RESOURCE, f"{name} may {action} on everything"


def test_the_bucket_is_private_encrypted_kept_and_reached_over_tls_alone(translated):
    bucket = translated["Resources"]["Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    [statement] = translated["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert {resolved(one, translated) for one in statement["Resource"]} == {"Bucket.Arn", "Bucket.Arn/*"}
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_what_is_of_no_use_expires_and_nothing_else(translated):
    work, rest = translated["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert (work["Prefix"], work["ExpirationInDays"], work["Status"]) == ("work/", 7, "Enabled")
    assert "ExpirationInDays" not in rest
    assert rest["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    written = json.loads(TEXT)["States"]["Forecast shards"]["ResultWriter"]["Parameters"]["Prefix"]
    assert written.startswith(work["Prefix"])


def test_executions_are_logged_and_traced(translated):
    [machine] = resources(translated, "AWS::StepFunctions::StateMachine").values()
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ERROR"
    name = translated["Resources"]["StateMachineLogGroup"]["Properties"]["LogGroupName"]
    assert resolved(name, translated) == "/aws/vendedlogs/states/efemera-batch"


NEEDED = {"ListObjectsV2": "s3:ListBucket", "GetObject": "s3:GetObject", "HeadObject": "s3:GetObject"}
NEEDED |= {"PutObject": "s3:PutObject"}


def test_the_roles_allow_all_that_two_evenings_do_with_the_bucket(translated, tmp_path, monkeypatch):
    """The second evening scores the first, so that every kind of file is read and written."""
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    done: set[tuple[str, str, str]] = set()  # function, action, resource
    with running() as machine:

        def note(params: dict[str, str], model: Any, **_: Any) -> None:
            action = NEEDED[model.name]
            resource = "Bucket.Arn" if action == "s3:ListBucket" else f"Bucket.Arn/{params['Key']}"
            done.add((machine.calls[-1][0], action, resource))

        store.client().meta.events.register("before-parameter-build.s3", note)
        for evening in (THURSDAY, THURSDAY + timedelta(4)):
            put_prices(machine, tmp_path, evening)
            assert machine.run(scheduled=f"{evening}T21:30:00Z")["status"] == "SUCCEEDED"
        assert any("scores/" in key for key in machine.versions("scores/"))
    assert len(done) > 20
    for function, action, resource in done:
        patterns = allowed(translated, function.replace("Function", "Role"))[action]
        assert any(fnmatch(resource, pattern) for pattern in patterns), f"{function} may not {action} on {resource}"
