"""The API that template.yaml deploys, asked of the CloudFormation that SAM makes of it."""

from __future__ import annotations

import json
import re

import pytest

from export.local.server import TIME_LIMIT_MS
from tests.infra.conftest import ROOT
from tests.infra.stack import Stack

pytestmark = pytest.mark.sam

ANY = "x-amazon-apigateway-any-method"
FUNCTIONS = ("Api", "Hook", "Released", "Plan", "Batch", "Finish")


def test_predict_health_and_everything_else_reach_the_live_version_of_the_function(stack):
    paths = stack["Api"]["Body"]["paths"]
    assert {path: set(operations) for path, operations in paths.items()} == {
        "/predict": {"post"}, "/health": {"get"}, "/": {ANY}, "/{proxy+}": {ANY, "parameters"},
    }  # fmt: skip
    for operations in paths.values():
        [operation] = (one for one in operations.values() if isinstance(one, dict))
        integration = operation["x-amazon-apigateway-integration"]
        assert integration["uri"].endswith(":lambda:path/2015-03-31/functions/ApiFunction.Arn:live/invocations")
        assert (integration["type"], integration["payloadFormatVersion"]) == ("aws_proxy", "2.0")
    permission = stack["ApiPermission"]
    assert (permission["FunctionName"], permission["Principal"]) == ("ApiFunctionAliaslive", "apigateway.amazonaws.com")
    assert permission["SourceArn"] == "arn:aws:execute-api:us-east-1:123456789012:Api/*"


def test_pages_of_other_origins_may_ask_only_where_some_are_named(translated):
    assert "x-amazon-apigateway-cors" not in Stack(translated)["Api"]["Body"]
    body = Stack(translated, CorsOrigins="https://a.example,https://b.example")["Api"]["Body"]
    rules = body["x-amazon-apigateway-cors"]
    assert rules["allowOrigins"] == ["https://a.example", "https://b.example"]
    assert rules["allowMethods"] == ["GET", "POST"]
    assert "content-type" in rules["allowHeaders"]
    assert rules["exposeHeaders"] == ["retry-after", "x-request-id"]
    for path in ("/", "/{proxy+}"):
        assert body["paths"][path].keys() >= {ANY, "options"}


def test_cross_origin_rules_are_the_gateways_alone():
    for path in (ROOT / "lambda_fn").rglob("*.py"):
        assert "access-control" not in path.read_text(encoding="utf-8").lower()


def test_requests_are_traced_by_lambda_itself(stack):
    for name in FUNCTIONS:
        assert stack[f"{name}Function"]["TracingConfig"] == {"Mode": "Active"}
    assert "xray" not in (ROOT / "lambda_fn" / "api" / "requirements.txt").read_text(encoding="utf-8").lower()


def test_every_function_runs_lambdas_python_on_the_processor_that_was_asked_for(translated):
    for processor in translated["Parameters"]["Architecture"]["AllowedValues"]:
        stack = Stack(translated, Architecture=processor)
        functions = stack.of("AWS::Lambda::Function")
        assert functions.keys() == {f"{name}Function" for name in FUNCTIONS}
        for function in functions.values():
            assert (function["Runtime"], function["Architectures"]) == ("python3.13", [processor])


def test_every_function_writes_to_a_log_of_the_stack_and_names_its_metrics_after_it(translated):
    functions = Stack(translated).of("AWS::Lambda::Function")
    for name, function in functions.items():
        group = "Hook" if name == "ReleasedFunction" else name.removesuffix("Function")
        assert function["LoggingConfig"]["LogGroup"] == f"{group}LogGroup"
        variables = function["Environment"]["Variables"]
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Efemera/efemera"
        assert variables["POWERTOOLS_SERVICE_NAME"] == "efemera"


def test_logs_end_when_the_parameter_says(translated):
    groups = Stack(translated).of("AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {"30"}
    groups = Stack(translated, LogRetentionDays="365").of("AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {"365"}


def test_every_request_is_in_the_access_log_as_json_without_what_it_asked(stack):
    [stage] = stack.of("AWS::ApiGatewayV2::Stage").values()
    assert stage["AccessLogSettings"]["DestinationArn"] == "AccessLogGroup.Arn"
    text = re.sub(r"\$context\.[\w.]+", "-", stage["AccessLogSettings"]["Format"])  # what stands for what is not there
    assert json.loads(text).keys() >= {"requestId", "time", "route", "status", "latency", "sourceIp", "error"}
    assert "body" not in stage["AccessLogSettings"]["Format"].lower()
    assert "path" not in stage["AccessLogSettings"]["Format"].lower()


def test_time_and_memory_are_said(stack):
    api = stack["ApiFunction"]
    assert api["Timeout"] == TIME_LIMIT_MS / 1000  # what `efemera serve` tells the same handler
    assert api["MemorySize"] == 512


def test_the_bill_is_bounded_by_rate_burst_and_environments(translated):
    [stage] = Stack(translated).of("AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": "100", "ThrottlingBurstLimit": "200"}
    asked = Stack(translated, ThrottlingRate="7", ThrottlingBurst="9", ReservedConcurrency="5")
    [stage] = asked.of("AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": "7", "ThrottlingBurstLimit": "9"}
    assert asked["ApiFunction"]["ReservedConcurrentExecutions"] == "5"
    assert "ReservedConcurrentExecutions" not in Stack(translated)["ApiFunction"]


def test_every_memory_time_and_concurrency_has_its_reason_beside_it():
    lines = (ROOT / "template.yaml").read_text(encoding="utf-8").splitlines()
    chosen = re.compile(r"\s+(MemorySize|Timeout|EphemeralStorage|SnapStart|KEPT|FlexibleTimeWindow):")
    found = 0
    for number, line in enumerate(lines):
        if not chosen.match(line) or "FlexibleTimeWindow" in line:
            continue
        found += 1
        above = number - 1
        while chosen.match(lines[above]):  # chosen together, as the comment above them says
            above -= 1
        assert "#" in line or lines[above].lstrip().startswith("#"), line
    assert found > 12


def test_what_comes_out_of_a_deployment(translated):
    outputs = {
        "ApiUrl", "FunctionName", "FunctionNames", "BucketName", "StateMachineArn", "TopicArn", "MissedStartsUrl",
        "DashboardUrl", "DeploymentType", "CallerPolicyArn",
    }  # fmt: skip
    stack = Stack(translated)
    assert stack.outputs.keys() == outputs
    assert stack.outputs["ApiUrl"] == "https://Api.execute-api.us-east-1.amazonaws.com"
    assert stack.outputs["FunctionNames"] == "ApiFunction,PlanFunction,BatchFunction,FinishFunction"
    assert stack.outputs["DashboardUrl"].endswith("dashboards:name=Dashboard")
    open_one = Stack(translated, PublicAccess="open-to-anyone-on-the-internet")
    assert open_one.outputs.keys() == outputs - {"CallerPolicyArn"}
