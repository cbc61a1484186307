"""A release of the API: published, checked, by and by, recorded, and how it goes."""

from __future__ import annotations

import json
import re

import pytest

from tests.infra.conftest import ROOT, translate
from tests.infra.stack import Stack, dashboard

pytestmark = pytest.mark.sam

ALIASED = ("ApiFunction", "PlanFunction", "BatchFunction", "FinishFunction")


def test_each_function_that_serves_has_versions_that_stay_and_an_alias_that_points_to_one(stack):
    aliases = stack.of("AWS::Lambda::Alias")
    assert aliases.keys() == {f"{name}Aliaslive" for name in ALIASED}
    for name in ALIASED:
        assert aliases[f"{name}Aliaslive"]["Name"] == "live"
        [version] = [one for one in stack.of("AWS::Lambda::Version") if one.startswith(f"{name}Version")]
        assert stack.resources[version]["DeletionPolicy"] == "Retain"
        assert aliases[f"{name}Aliaslive"]["FunctionVersion"] == f"{version}.Version"


def test_published_versions_of_the_api_start_from_a_snapshot(stack):
    assert stack["ApiFunction"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}


def test_a_changed_property_makes_a_new_version(translated, tmp_path):
    ours, line = (ROOT / "template.yaml").read_text(encoding="utf-8"), "      MemorySize: 512\n"
    assert ours.count(line) == 1
    (tmp_path / "template.yaml").write_text(ours.replace(line, "      MemorySize: 1024\n"), encoding="utf-8")
    changed = translate(tmp_path / "template.yaml")

    def version(template):
        return [name for name in template["Resources"] if name.startswith("ApiFunctionVersion")]

    assert version(changed) != version(translated)


def test_no_function_with_versions_reads_a_parameter_as_its_new_value_would_make_no_new_version(translated):
    """To SAM a parameter's value is no change; but that of the processor is one of the package too."""
    for name in ALIASED:
        text = json.dumps(translated["Resources"][name]["Properties"])
        read = set(re.findall(r'"Ref": "(\w+)"', text)) & translated["Parameters"].keys()
        assert read <= {"Architecture", "ReservedConcurrency"}, name  # the latter is the function's, not a version's


def test_the_base_path_is_told_by_the_stage(translated):
    [stage] = Stack(translated, BasePath="/forecasts").of("AWS::ApiGatewayV2::Stage").values()
    assert stage["StageVariables"] == {"basePath": "/forecasts"}
    [stage] = Stack(translated).of("AWS::ApiGatewayV2::Stage").values()
    assert stage["StageVariables"] == {"basePath": "/"}  # none; a stage's variable may not be empty


def test_a_tenth_of_the_requests_tries_a_new_version_for_five_minutes_after_the_hook_has(stack):
    policy = stack.resources["ApiFunctionAliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert policy["BeforeAllowTrafficHook"] == "HookFunction"
    assert policy["AfterAllowTrafficHook"] == "ReleasedFunction"
    [group] = stack.of("AWS::CodeDeploy::DeploymentGroup").values()
    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert group["ServiceRoleArn"] == "CodeDeployRole.Arn"
    assert group["AutoRollbackConfiguration"]["Enabled"] is True


def test_the_hooks_are_told_the_versions_of_this_very_release(stack):
    versions = {name: stack.resources[f"{name}Aliaslive"]["Properties"]["FunctionVersion"] for name in ALIASED}
    by_ref = {
        name: version.removesuffix(".Version") for name, version in versions.items()
    }  # a version's Ref is its ARN
    hook = stack["HookFunction"]
    assert (hook["Handler"], hook["Environment"]["Variables"]["NEW_VERSION"]) == (
        "lambda_fn.deploy.pre_traffic_hook.handler", by_ref["ApiFunction"],
    )  # fmt: skip
    released = stack["ReleasedFunction"]
    variables = released["Environment"]["Variables"]
    assert released["Handler"] == "lambda_fn.deploy.post_traffic_hook.handler"
    assert variables["VERSIONS"].split(",") == [by_ref[name] for name in ALIASED]
    assert (variables["RELEASES"], variables["KEPT"]) == ("s3://Bucket/releases", "3")


def test_records_of_releases_do_not_expire(stack):
    rules = stack["Bucket"]["LifecycleConfiguration"]["Rules"]
    assert [rule.get("Prefix") for rule in rules if "ExpirationInDays" in rule] == ["work/"]


@pytest.mark.parametrize("schedule", ["ENABLED", "DISABLED"])  # without one NoRunAlarm is not there
def test_the_dashboard_shows_every_alarm_and_metrics_of_this_stack(translated, schedule):
    stack = Stack(translated, ScheduleState=schedule)
    first, *rest = dashboard(stack)["widgets"]
    assert set(first["properties"]["alarms"]) == {f"{name}.Arn" for name in stack.of("AWS::CloudWatch::Alarm")}
    for widget in rest:
        namespaces = {metric[0] for metric in widget["properties"]["metrics"]}
        assert namespaces <= {"AWS/ApiGateway", "AWS/Lambda", "AWS/States", "Efemera/efemera", ".", "..."}
        assert widget["properties"]["region"] == "us-east-1"


def test_the_widgets_of_the_dashboard_fill_rows_and_do_not_overlap(stack):
    places: set[tuple[int, int]] = set()
    for widget in dashboard(stack)["widgets"]:
        x, y, width, height = (widget[key] for key in ("x", "y", "width", "height"))
        assert 0 <= x < x + width <= 24
        covered = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert not covered & places, widget
        places |= covered
    assert len(places) == 24 * (1 + max(row for _, row in places))


def test_the_dashboards_metrics_are_those_that_the_code_prints(stack):
    """Else a widget would stay empty for ever."""
    shown = json.dumps(dashboard(stack))
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "lambda_fn").rglob("*.py"))
    for name in ("ColdStart", "Series", "BatchForecast", "BatchSeries", "ErrorToNaive"):
        assert f'"{name}"' in shown
        assert f'"{name}"' in code
