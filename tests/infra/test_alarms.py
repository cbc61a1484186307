"""The alarms: what they watch, whom they tell, and that a page explains each."""

from __future__ import annotations

import json
import re

import pytest

from lambda_fn.batch import cloudwatch_metrics
from lambda_fn.batch.score_table import SESSIONS, Drift
from lambda_fn.model.manifest import ModelRefused
from tests.infra.stack import Stack
from tests.infra.step_functions import FILE

pytestmark = pytest.mark.sam

OURS = "Efemera/efemera"  # the metrics of this stack
ALARMS = {  # name → namespace, metric, when
    "CoverageLowAlarm": (OURS, f"Coverage80Of{SESSIONS}", "LessThanThreshold", 0.72),
    "CoverageHighAlarm": (OURS, f"Coverage80Of{SESSIONS}", "GreaterThanThreshold", 0.88),
    "ErrorAlarm": (OURS, f"ErrorToNaiveOf{SESSIONS}", "GreaterThanThreshold", 1.05),
    "MissedStartAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "GreaterThanThreshold", 0),
    "LatencyAlarm": ("AWS/ApiGateway", "Latency", "GreaterThanThreshold", 3000),
    "NewVersionAlarm": ("AWS/Lambda", "Errors", "GreaterThanThreshold", 0),
    "SelfCheckAlarm": (OURS, "ModelRefused", "GreaterThanThreshold", 0),
    "ReleaseAlarm": (OURS, "HookErrors", "GreaterThanThreshold", 0),
    "NoRunAlarm": ("AWS/States", "ExecutionsStarted", "LessThanThreshold", 1),
}
SERVING = ("Api", "Plan", "Batch", "Finish")  # whose processes read the model
OF_SUMS = {"RunAlarm", "ThrottleAlarm", "ServerErrorAlarm"}  # of several metrics


def test_every_alarm_is_told_to_the_topic_and_none_but_that_of_silence_rings_for_want_of_data(stack):
    alarms = stack.of("AWS::CloudWatch::Alarm")
    assert alarms.keys() == ALARMS.keys() | OF_SUMS
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == ["Topic"]
        assert alarm["TreatMissingData"] == ("breaching" if name == "NoRunAlarm" else "notBreaching")
        assert alarm["AlarmDescription"].endswith(".")


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_this_and_rings_there(stack, name):
    alarm = stack[name]
    watched = (alarm["Namespace"], alarm["MetricName"], alarm["ComparisonOperator"], alarm["Threshold"])
    assert watched == ALARMS[name]


def test_drift_is_of_a_day_and_of_its_worst_point(stack):
    for name in ("CoverageLowAlarm", "CoverageHighAlarm", "ErrorAlarm"):
        alarm = stack[name]
        assert alarm["Statistic"] == ("Minimum" if alarm["ComparisonOperator"].startswith("Less") else "Maximum")
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (86400, 1)


def test_slow_is_one_request_in_a_hundred_for_three_minutes_and_not_one_start_among_few(stack):
    alarm = stack["LatencyAlarm"]
    assert (alarm["ExtendedStatistic"], alarm["EvaluateLowSampleCountPercentile"]) == ("p99", "ignore")
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, 3)


def test_what_ends_a_canary_rings_within_it(stack):
    [group] = stack.of("AWS::CodeDeploy::DeploymentGroup").values()
    [minutes] = re.findall(r"Percent(\d+)Minutes", group["DeploymentConfigName"])
    for name in (one["Name"] for one in group["AlarmConfiguration"]["Alarms"]):
        alarm = stack[name]
        periods = {one["MetricStat"]["Period"] for one in alarm.get("Metrics", ()) if "MetricStat" in one}
        assert (max(periods) if periods else alarm["Period"]) * alarm["EvaluationPeriods"] < 60 * int(minutes)


def test_a_metric_that_comes_late_is_still_heard(stack):
    """FILL puts a 0 where the newest point is not there yet."""
    for name in OF_SUMS:
        if "FILL" in stack[name]["Metrics"][0]["Expression"]:
            assert (stack[name]["EvaluationPeriods"], stack[name]["DatapointsToAlarm"]) == (3, 1)


def test_the_share_of_faults_is_of_requests_and_needs_some(stack):
    alarm = stack["ServerErrorAlarm"]
    share, faults, every = alarm["Metrics"]
    assert {one["Id"]: one["MetricStat"]["Metric"]["MetricName"] for one in (faults, every)} == {
        "faults": "5xx", "all": "Count",
    }  # fmt: skip
    assert share["Expression"] == "IF(faults >= 2, 100 * faults / all, 0)"
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 1)


def test_throttling_is_heard_of_wherever_it_happens(stack):
    assert stack["ThrottledRequests"]["LogGroupName"] == "AccessLogGroup"
    assert stack["ThrottledRequests"]["FilterPattern"] == '{ $.status = "429" }'
    [stage] = stack.of("AWS::ApiGatewayV2::Stage").values()
    assert '"status":"$context.status"' in stage["AccessLogSettings"]["Format"]
    _, gateway, function = stack["ThrottleAlarm"]["Metrics"]
    [counted] = stack["ThrottledRequests"]["MetricTransformations"]
    metric = gateway["MetricStat"]["Metric"]
    assert (metric["Namespace"], metric["MetricName"]) == (counted["MetricNamespace"], counted["MetricName"])
    assert function["MetricStat"]["Metric"]["MetricName"] == "Throttles"


@pytest.mark.parametrize(
    ("filters", "alarm"),
    [(tuple(f"RefusedModelsOf{name}" for name in SERVING), "SelfCheckAlarm"), (("HookErrors",), "ReleaseAlarm")],
)
def test_an_alarm_that_reads_logs_counts_what_its_filters_find(stack, filters, alarm):
    for name in filters:
        [counted] = stack[name]["MetricTransformations"]
        assert (counted["MetricNamespace"], counted["MetricName"]) == (
            stack[alarm]["Namespace"],
            stack[alarm]["MetricName"],
        )
        assert counted["MetricValue"] == "1"


def test_a_refused_model_is_found_by_the_name_of_what_the_start_raises(stack):
    for name in SERVING:
        assert stack[f"RefusedModelsOf{name}"]["FilterPattern"] == f'"{ModelRefused.__name__}"'
        assert stack[f"RefusedModelsOf{name}"]["LogGroupName"] == f"{name}LogGroup"


def test_a_canary_ends_where_an_alarm_of_the_api_rings(stack):
    [group] = stack.of("AWS::CodeDeploy::DeploymentGroup").values()
    watched = {one["Name"] for one in group["AlarmConfiguration"]["Alarms"]}
    assert watched == {"NewVersionAlarm", "ServerErrorAlarm", "LatencyAlarm"}  # a batch run's faults are not among them
    assert group["AlarmConfiguration"]["Enabled"] is True
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    dimensions = {one["Name"]: one["Value"] for one in stack["NewVersionAlarm"]["Dimensions"]}
    version = stack["ApiFunctionAliaslive"]["FunctionVersion"]
    assert dimensions == {"FunctionName": "ApiFunction", "Resource": "ApiFunction:live", "ExecutedVersion": version}


def test_silence_is_heard_only_where_a_schedule_should_break_it(translated):
    alarm = Stack(translated, QuietDays="7")["NoRunAlarm"]
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (86400, "7")
    assert "NoRunAlarm" not in Stack(translated, ScheduleState="DISABLED").resources
    weekend = 3  # days from Friday evening to Monday's
    assert translated["Parameters"]["QuietDays"]["Default"] > weekend


def test_the_alarms_of_drift_watch_what_the_last_step_prints(stack, capsys):
    levels = {"95": 0.95, "80": 0.8, "50": 0.5}
    figures = cloudwatch_metrics._figures(Drift(SESSIONS, 1, 1.0, levels, 0.01))
    cloudwatch_metrics._print_line({f"{name}Of{SESSIONS}": 1.0 for name in figures}, {"service": "efemera"}, {})
    line = json.loads(capsys.readouterr().out)
    [directive] = line["_aws"]["CloudWatchMetrics"]
    printed = {metric["Name"] for metric in directive["Metrics"]}
    for name in ("CoverageLowAlarm", "CoverageHighAlarm", "ErrorAlarm"):
        alarm = stack[name]
        assert (alarm["Namespace"], alarm["MetricName"] in printed) == (OURS, True)
        assert alarm["Dimensions"] == [{"Name": "service", "Value": "efemera"}]
        assert directive["Dimensions"] == [["service"]]
    variables = stack["FinishFunction"]["Environment"]["Variables"]
    assert variables["POWERTOOLS_SERVICE_NAME"] == "efemera"
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == OURS


def test_a_run_that_does_not_succeed_rings_however_it_ended(stack):
    alarm = stack["RunAlarm"]
    sum_, *metrics = alarm["Metrics"]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
    names = {one["Id"]: one["MetricStat"]["Metric"]["MetricName"] for one in metrics}
    assert set(names.values()) == {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"}
    assert set(re.findall(r"FILL\((\w+), 0\)", sum_["Expression"])) == names.keys()
    for one in metrics:
        assert one["ReturnData"] is False
        metric = one["MetricStat"]["Metric"]
        assert metric["Namespace"] == "AWS/States"
        assert metric["Dimensions"] == [{"Name": "StateMachineArn", "Value": "BatchStateMachine"}]


def test_the_topic_is_encrypted_with_a_key_that_cloudwatch_may_use(stack):
    assert stack["Topic"]["KmsMasterKeyId"] == "TopicKey"
    key = stack["TopicKey"]
    assert key["EnableKeyRotation"] is True
    _, cloudwatch = key["KeyPolicy"]["Statement"]
    assert cloudwatch["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert cloudwatch["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_nobody_is_subscribed_unless_an_address_is_given(translated):
    assert "AlarmSubscription" not in Stack(translated).resources
    asked = Stack(translated, AlarmEmail="desk@example.com")["AlarmSubscription"]
    assert (asked["TopicArn"], asked["Protocol"], asked["Endpoint"]) == ("Topic", "email", "desk@example.com")


def test_the_page_beside_the_state_machine_explains_every_alarm(stack):
    page = FILE.with_name("README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\b(\w+Alarm)\b", page)) == stack.of("AWS::CloudWatch::Alarm").keys()
