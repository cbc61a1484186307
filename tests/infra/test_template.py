"""The API that template.yaml deploys, asked of the CloudFormation that SAM makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from export.server import TIME_LIMIT_MS
from tests.infra.conftest import ROOT, translate

pytestmark = pytest.mark.sam

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method"}


def function(template: dict[str, Any]) -> dict[str, Any]:
    """Properties of the API function."""
    return template["Resources"]["ApiFunction"]["Properties"]


def resources(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Properties of the resources of one type, by their logical ids."""
    every = template["Resources"].items()
    return {name: found["Properties"] for name, found in every if found["Type"] == kind}


def routes(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each route of the API: its name, its operation, and the security schemes it can name."""
    (api,) = resources(template, "AWS::ApiGatewayV2::Api").values()
    schemes = api["Body"]["components"].get("securitySchemes", {})
    for path, operations in api["Body"]["paths"].items():
        for method in METHODS & operations.keys():
            yield f"{method} {path}", operations[method], schemes


def open_routes(template: dict[str, Any]) -> set[str]:
    """Routes that answer a request without a checked SigV4 signature: no scheme, or an alternative without it."""
    return {
        name
        for name, operation, schemes in routes(template)
        if not operation.get("security") or not all(_signed(choice, schemes) for choice in operation["security"])
    }


def _signed(choice: dict[str, Any], schemes: dict[str, Any]) -> bool:
    """Whether one of an operation's alternatives asks for SigV4."""
    return any(schemes.get(name, {}).get("x-amazon-apigateway-authtype") == "awsSigv4" for name in choice)


def test_predict_health_and_everything_else_reach_the_function(translated):
    found = {name: operation["x-amazon-apigateway-integration"] for name, operation, _ in routes(translated)}
    assert found.keys() == {"post /predict", "get /health", "x-amazon-apigateway-any-method /$default"}
    for integration in found.values():
        assert "${ApiFunction.Arn}" in integration["uri"]["Fn::Sub"]
        assert integration["payloadFormatVersion"] == "2.0"


def test_no_route_is_open(translated):
    assert open_routes(translated) == set()


def test_a_template_without_its_authoriser_would_be_found_open(tmp_path):
    ours = (ROOT / "template.yaml").read_text(encoding="utf-8")
    line = "        DefaultAuthorizer: AWS_IAM\n"
    assert line in ours
    (tmp_path / "template.yaml").write_text(ours.replace(line, ""), encoding="utf-8")
    template = translate(tmp_path / "template.yaml")
    assert open_routes(template) == {name for name, _, _ in routes(template)}


def test_the_function_may_write_its_own_log_and_traces_and_nothing_else(translated):
    role = translated["Resources"]["ApiRole"]["Properties"]
    assert function(translated)["Role"] == {"Fn::GetAtt": ["ApiRole", "Arn"]}
    assert "ManagedPolicyArns" not in role
    (policy,) = role["Policies"]
    log, trace = policy["PolicyDocument"]["Statement"]
    assert log == {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": {"Fn::GetAtt": ["ApiLogGroup", "Arn"]},
    }
    assert trace == {
        "Effect": "Allow",
        "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
        "Resource": "*",
    }
    assert function(translated)["LoggingConfig"]["LogGroup"] == {"Ref": "ApiLogGroup"}


def test_requests_are_traced_by_lambda_itself(translated):
    assert function(translated)["TracingConfig"] == {"Mode": "Active"}
    assert "xray" not in (ROOT / "lambda_fn" / "requirements-api.txt").read_text(encoding="utf-8").lower()


def test_cross_origin_rules_are_the_gateways_alone():
    for path in (ROOT / "lambda_fn").glob("*.py"):
        assert "access-control" not in path.read_text(encoding="utf-8").lower()


def test_logs_end(translated):
    groups = resources(translated, "AWS::Logs::LogGroup")
    assert groups.keys() >= {"ApiLogGroup"}
    assert {group["RetentionInDays"] for group in groups.values()} == {30}


def test_time_memory_and_processor_are_said(translated):
    api = function(translated)
    assert api["Timeout"] == TIME_LIMIT_MS / 1000  # what `efemera serve` tells the same handler
    assert api["MemorySize"] == 512
    assert api["Architectures"] == [{"Ref": "Architecture"}]
    assert translated["Parameters"]["Architecture"]["AllowedValues"] == ["x86_64", "arm64"]


def test_the_bill_is_bounded(translated):
    (stage,) = resources(translated, "AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 100, "ThrottlingBurstLimit": 200}


def test_what_comes_out_of_a_deployment(translated):
    outputs = {"ApiUrl", "FunctionName", "BucketName", "StateMachineArn", "TopicArn", "MissedStartsUrl"}
    assert translated["Outputs"].keys() == outputs
