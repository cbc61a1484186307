"""The alarms of the batch run: what they watch, whom they tell, and that a page explains each."""

from __future__ import annotations

import json
import re

import pytest

from lambda_fn import batch_metrics
from lambda_fn.scores import SESSIONS, Drift
from tests.infra.step_functions import FILE
from tests.infra.test_template import resources

pytestmark = pytest.mark.sam

ALARMS = {  # name → namespace, metric, when
    "CoverageLowAlarm": ("Efemera", f"Coverage80Of{SESSIONS}", "LessThanThreshold", 0.72),
    "CoverageHighAlarm": ("Efemera", f"Coverage80Of{SESSIONS}", "GreaterThanThreshold", 0.88),
    "ErrorAlarm": ("Efemera", f"ErrorToNaiveOf{SESSIONS}", "GreaterThanThreshold", 1.05),
    "MissedStartAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "GreaterThanThreshold", 0),
}


def test_every_alarm_is_told_to_the_topic_and_none_rings_for_want_of_data(translated):
    alarms = resources(translated, "AWS::CloudWatch::Alarm")
    assert alarms.keys() == {*ALARMS, "RunAlarm"}
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == [{"Ref": "Topic"}]
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["EvaluationPeriods"] == 1
        assert alarm["AlarmDescription"].endswith(".")


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_this_and_rings_there(translated, name):
    alarm = translated["Resources"][name]["Properties"]
    watched = (alarm["Namespace"], alarm["MetricName"], alarm["ComparisonOperator"], alarm["Threshold"])
    assert watched == ALARMS[name]
    assert alarm["Statistic"] == ("Minimum" if alarm["ComparisonOperator"].startswith("Less") else "Maximum")
    assert alarm["Period"] == (86400 if alarm["Namespace"] == "Efemera" else 300)


def test_the_alarms_of_drift_watch_what_the_last_step_prints(translated, capsys):
    levels = {"95": 0.95, "80": 0.8, "50": 0.5}
    figures = batch_metrics._figures(Drift(SESSIONS, 1, 1.0, levels, 0.01))
    batch_metrics._line({f"{name}Of{SESSIONS}": 1.0 for name in figures}, {"service": "efemera"}, {})
    line = json.loads(capsys.readouterr().out)
    [directive] = line["_aws"]["CloudWatchMetrics"]
    printed = {metric["Name"] for metric in directive["Metrics"]}
    for name in ("CoverageLowAlarm", "CoverageHighAlarm", "ErrorAlarm"):
        alarm = translated["Resources"][name]["Properties"]
        assert (alarm["Namespace"], alarm["MetricName"] in printed) == (directive["Namespace"], True)
        assert alarm["Dimensions"] == [{"Name": "service", "Value": "efemera"}]
        assert directive["Dimensions"] == [["service"]]
    variables = translated["Resources"]["FinishFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["POWERTOOLS_SERVICE_NAME"] == "efemera"
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Efemera"


def test_a_run_that_does_not_succeed_rings_however_it_ended(translated):
    alarm = translated["Resources"]["RunAlarm"]["Properties"]
    sum_, *metrics = alarm["Metrics"]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
    names = {one["Id"]: one["MetricStat"]["Metric"]["MetricName"] for one in metrics}
    assert set(names.values()) == {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"}
    assert set(re.findall(r"FILL\((\w+), 0\)", sum_["Expression"])) == names.keys()
    for one in metrics:
        assert one["ReturnData"] is False
        metric = one["MetricStat"]["Metric"]
        assert metric["Namespace"] == "AWS/States"
        assert metric["Dimensions"] == [{"Name": "StateMachineArn", "Value": {"Ref": "BatchStateMachine"}}]


def test_the_topic_is_encrypted_with_a_key_that_cloudwatch_may_use(translated):
    assert translated["Resources"]["Topic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "TopicKey"}
    key = translated["Resources"]["TopicKey"]["Properties"]
    assert key["EnableKeyRotation"] is True
    _, cloudwatch = key["KeyPolicy"]["Statement"]
    assert cloudwatch["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert cloudwatch["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_nobody_is_subscribed_unless_an_address_is_given(translated):
    subscription = translated["Resources"]["AlarmSubscription"]
    assert subscription["Condition"] == "HasAlarmEmail"
    assert translated["Parameters"]["AlarmEmail"]["Default"] == ""


def test_the_page_beside_the_state_machine_explains_every_alarm(translated):
    page = FILE.with_name("README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\b(\w+Alarm)\b", page)) == resources(translated, "AWS::CloudWatch::Alarm").keys()
