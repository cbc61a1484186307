"""Who gets in, and what each part may do: walked over the translated template, in each of its three modes."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

import pytest

from tests.infra.stack import Stack, allowed, listed

pytestmark = pytest.mark.sam

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method"}
ISSUER, AUDIENCE = "https://issuer.example/", "forecasts,desk"
OPEN = "open-to-anyone-on-the-internet"
# Actions for which the service knows no resource, by its own table of actions.
OF_NO_RESOURCE = {
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
}
STEPS = ("Plan", "Batch", "Finish")
LOG = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}


def routes(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each route of the API: its name and its operation."""
    for path, operations in stack["Api"]["Body"]["paths"].items():
        for method in METHODS & operations.keys():
            yield f"{method} {path}", operations[method]


def asked_for(stack: Stack) -> dict[str, set[str]]:
    """Route → what it asks of a request, by each of its alternatives; `nothing` where one asks for nothing."""
    schemes = stack["Api"]["Body"]["components"].get("securitySchemes", {})
    found = {}
    for name, operation in routes(stack):
        alternatives = operation.get("security") or [{}]
        found[name] = {_kind(schemes, alternative) for alternative in alternatives}
    return found


def _kind(schemes: dict[str, Any], alternative: dict[str, Any]) -> str:
    if any(schemes.get(name, {}).get("x-amazon-apigateway-authtype") == "awsSigv4" for name in alternative):
        return "signature"
    for name in alternative:
        authoriser = schemes.get(name, {}).get("x-amazon-apigateway-authorizer", {})
        if authoriser.get("type") == "jwt" and authoriser["jwtConfiguration"]["audience"]:
            return "token"
    return "nothing"


def test_nobody_gets_in_by_default_but_by_a_signature(stack):
    found = asked_for(stack)
    assert len(found) == 4
    assert all(kinds == {"signature"} for kinds in found.values()), found


def test_with_an_issuer_and_an_audience_every_route_asks_for_a_token(translated):
    stack = Stack(translated, JwtIssuer=ISSUER, JwtAudience=AUDIENCE)
    assert stack.refused() == []
    assert all(kinds == {"token"} for kinds in asked_for(stack).values())
    authoriser = stack["Api"]["Body"]["components"]["securitySchemes"]["Token"]["x-amazon-apigateway-authorizer"]
    assert authoriser["jwtConfiguration"] == {"issuer": ISSUER, "audience": ["forecasts", "desk"]}
    assert authoriser["identitySource"] == "$request.header.Authorization"


def test_only_the_parameter_that_says_so_opens_the_api(translated):
    stack = Stack(translated, PublicAccess=OPEN)
    assert stack.refused() == []
    assert all(kinds == {"nothing"} for kinds in asked_for(stack).values())
    parameter = translated["Parameters"]["PublicAccess"]
    assert parameter["Default"] == "closed"
    assert parameter["AllowedValues"] == ["closed", OPEN]
    assert "anyone" in parameter["Description"]
    assert "expense" in parameter["Description"]


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"JwtIssuer": ISSUER}, "JwtIssuer and JwtAudience go together"),
        ({"JwtAudience": AUDIENCE}, "JwtIssuer and JwtAudience go together"),
        ({"JwtIssuer": ISSUER, "JwtAudience": AUDIENCE, "PublicAccess": OPEN}, "an API that is open to anyone asks"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused_before_anything_is_made(translated, parameters, why):
    [said] = Stack(translated, **parameters).refused()
    assert said.startswith(why)


def test_a_preflight_alone_needs_no_signature_as_a_browser_sends_none(translated):
    found = asked_for(Stack(translated, CorsOrigins="https://a.example"))
    for path in ("/", "/{proxy+}"):
        assert found.pop(f"options {path}") == {"nothing"}
    assert all(kinds == {"signature"} for kinds in found.values())


def test_whom_the_policy_is_attached_to_may_call_this_api_and_nothing_else(stack, translated):
    assert allowed(stack, "CallerPolicy") == {
        "execute-api:Invoke": {"arn:aws:execute-api:us-east-1:123456789012:Api/*"}
    }
    assert "CallerPolicy" not in Stack(translated, JwtIssuer=ISSUER, JwtAudience=AUDIENCE).resources


def test_the_api_function_may_write_its_own_log_and_traces_and_nothing_else(stack):
    found = allowed(stack, "ApiRole")
    assert found.keys() == LOG
    assert found["logs:PutLogEvents"] == {"ApiLogGroup.Arn"}
    assert stack["ApiFunction"]["Role"] == "ApiRole.Arn"


def test_each_step_of_a_batch_run_may_do_exactly_this(stack):
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
        found = allowed(stack, f"{step}Role")
        assert found.keys() == {*LOG, "s3:ListBucket", "s3:GetObject", "s3:PutObject"}
        assert found["logs:PutLogEvents"] == {f"{step}LogGroup.Arn"}
        assert found["s3:ListBucket"] == {"Bucket.Arn"}
        assert (found["s3:GetObject"], found["s3:PutObject"]) == (reads[step], writes[step])


def test_the_state_machine_may_run_its_steps_its_own_children_and_tell(stack):
    found = allowed(stack, "StateMachineRole")
    states = "arn:aws:states:us-east-1:123456789012"
    assert found["states:StartExecution"] == {f"{states}:stateMachine:efemera-batch"}
    children = {f"{states}:execution:efemera-batch:*", f"{states}:execution:efemera-batch/*"}
    assert found["states:DescribeExecution"] == found["states:StopExecution"] == children
    assert found["lambda:InvokeFunction"] == {f"{step}FunctionAliaslive" for step in STEPS}
    assert found["s3:GetObject"] == {"Bucket.Arn/work/*/shards.json", "Bucket.Arn/work/results/*"}
    assert found["s3:PutObject"] == {"Bucket.Arn/work/results/*"}
    assert found["sns:Publish"] == {"Topic"}
    assert found["kms:GenerateDataKey"] == {"TopicKey.Arn"}
    [machine] = stack.of("AWS::StepFunctions::StateMachine").values()
    assert machine["StateMachineName"] == "efemera-batch"
    assert machine["RoleArn"] == "StateMachineRole.Arn"


def test_the_schedule_may_start_the_state_machine_or_say_that_it_could_not(stack):
    assert allowed(stack, "ScheduleRole") == {
        "states:StartExecution": {"BatchStateMachine"},
        "sqs:SendMessage": {"MissedStarts.Arn"},
    }


FUNCTIONS = ("ApiFunction.Arn", "PlanFunction.Arn", "BatchFunction.Arn", "FinishFunction.Arn")
DEPLOYMENTS = "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:ServerlessDeploymentApplication/*"
TELL = "codedeploy:PutLifecycleEventHookExecutionStatus"


def test_the_hook_may_ask_versions_of_the_api_and_tell_codedeploy(stack):
    found = allowed(stack, "HookRole")
    assert found.keys() == {*LOG, "lambda:InvokeFunction", TELL}
    assert found["lambda:InvokeFunction"] == {"ApiFunction.Arn:*"}
    assert found[TELL] == {DEPLOYMENTS}


def test_what_comes_after_a_release_may_write_its_record_and_delete_versions_but_no_function(stack):
    found = allowed(stack, "ReleasedRole")
    assert found["lambda:DeleteFunction"] == {f"{arn}:*" for arn in FUNCTIONS}
    for action in ("lambda:ListVersionsByFunction", "lambda:ListAliases"):
        assert found[action] == set(FUNCTIONS)
    assert found["s3:PutObject"] == found["s3:GetObject"] == {"Bucket.Arn/releases/*"}
    assert (found["s3:ListBucket"], found[TELL]) == ({"Bucket.Arn"}, {DEPLOYMENTS})
    for arn in FUNCTIONS:  # deletion of the function itself names it without a version
        assert not any(fnmatch(arn, pattern) for pattern in found["lambda:DeleteFunction"])


def test_codedeploy_may_move_the_alias_of_the_api_run_the_hooks_and_look_at_alarms(stack):
    found = allowed(stack, "CodeDeployRole")
    alias = {"lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"}
    assert found.keys() == {*alias, "lambda:InvokeFunction", "cloudwatch:DescribeAlarms"}
    for action in alias:
        assert found[action] == {"ApiFunction.Arn", "ApiFunction.Arn:*"}
    assert found["lambda:InvokeFunction"] == {"HookFunction.Arn", "ReleasedFunction.Arn"}
    assert found["cloudwatch:DescribeAlarms"] == {"arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"}


def test_no_role_may_do_anything_on_everything_where_a_resource_can_be_named(stack):
    roles = stack.of("AWS::IAM::Role")
    steps = ("Api", "Hook", "Released", "CodeDeploy", *STEPS, "StateMachine", "Schedule")
    assert roles.keys() == {f"{name}Role" for name in steps}
    for name, role in roles.items():
        assert "ManagedPolicyArns" not in role
        for action, on in allowed(stack, name).items():
            assert "*" not in action
            assert "*" not in on or action in OF_NO_RESOURCE, f"{name} may {action} on everything"


def test_each_role_is_for_one_service_alone(stack):
    services = {"CodeDeploy": "codedeploy", "StateMachine": "states", "Schedule": "scheduler"}
    for name, role in stack.of("AWS::IAM::Role").items():
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        service = services.get(name.removesuffix("Role"), "lambda")
        assert (statement["Effect"], listed(statement["Action"])) == ("Allow", ["sts:AssumeRole"])
        assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}


def test_each_function_has_a_role_of_its_own(stack):
    roles = [function["Role"] for function in stack.of("AWS::Lambda::Function").values()]
    assert len(set(roles)) == len(roles) == 6
