"""What the cost sheet counts in template.yaml, and what it takes from there as constants."""

import json
import re

import pytest
import yaml

from tests.bench import cost_units, metric_series
from tests.bench.stack import TEMPLATE, Stack, read, stack

TEXT = TEMPLATE.read_text(encoding="utf-8")
MADE = """
Resources:
  Plain: { Type: AWS::CloudWatch::Alarm, Properties: { MetricName: !Ref Name } }
  Sum:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - { Id: sum, Expression: one + two }
        - { Id: one, MetricStat: { Metric: !GetAtt A.B } }
        - { Id: two, MetricStat: { Metric: !Sub "${A}" } }
  Board: { Type: AWS::CloudWatch::Dashboard, Properties: { DashboardBody: !Join ["", [a]] } }
  Key: { Type: AWS::KMS::Key }
  Cold: { Type: AWS::Serverless::Function, Properties: { MemorySize: 256 } }
  Fast:
    Type: AWS::Serverless::Function
    Properties: { MemorySize: 1024, SnapStart: { ApplyOn: PublishedVersions } }
  Released:
    Type: AWS::Serverless::Function
    Properties: { Environment: { Variables: { KEPT: "5" } }, SnapStart: { ApplyOn: None } }
"""


def test_an_alarm_with_metric_math_counts_each_of_its_metrics(tmp_path):
    made = tmp_path / "template.yaml"
    made.write_text(MADE, encoding="utf-8")
    assert stack(made) == Stack(keys=1, alarms=3, dashboards=1, snapshots=(1024,), kept=5)


def test_what_is_counted_is_what_the_template_holds():
    found = stack()
    watched = re.findall(r"^      MetricName:|MetricStat:", TEXT, re.M)  # of an alarm's own, and of its metric math
    assert found.alarms == len(watched) > 0
    assert found.dashboards == TEXT.count("Type: AWS::CloudWatch::Dashboard") == 1
    assert found.keys == TEXT.count("Type: AWS::KMS::Key") == 1
    assert found.kept == int(re.search(r'KEPT: "(\d+)"', TEXT)[1])


def test_the_api_alone_has_snapshots_and_its_sums_take_the_memory_that_the_template_gives():
    found = read()["Resources"]
    assert stack().snapshots == (cost_units.API_MB,)
    memory = {name: found[f"{name}Function"]["Properties"]["MemorySize"] for name in ("Api", "Plan", "Batch", "Finish")}
    assert memory == {
        "Api": cost_units.API_MB,
        "Plan": cost_units.PLAN_MB,
        "Batch": cost_units.BATCH_MB,
        "Finish": cost_units.FINISH_MB,
    }
    assert found["PlanFunction"]["Properties"]["EphemeralStorage"]["Size"] == cost_units.PLAN_STORAGE_MB


def test_as_many_workers_start_as_the_template_lets_run_at_once():
    (default,) = re.search(r"^  MaxConcurrency:\n(?:    .*\n)*?    Default: (\d+)", TEXT, re.M).groups()
    assert int(default) == cost_units.TOGETHER


def test_a_line_of_the_access_log_is_as_long_as_the_sums_say():
    fields = {
        "requestId": "JKJaXmPLvHcESHA=", "requestTime": "25/Nov/2026:23:07:10 +0000", "routeKey": "POST /predict",
        "identity.sourceIp": "203.0.113.100", "identity.caller": "AROAEXAMPLEEXAMPLE123:session", "status": "200",
        "responseLatency": "12", "responseLength": "1024",
    }  # fmt: skip
    form = read()["Resources"]["Api"]["Properties"]["AccessLogSettings"]["Format"]
    line = re.sub(r"\$context\.([A-Za-z.]+)", lambda found: fields.get(found[1], "-"), form)
    assert len(line) == pytest.approx(cost_units.ACCESS_LINE, rel=0.2)


def test_a_metric_counts_once_for_each_set_of_dimensions_and_each_value_of_them():
    directive = {"Dimensions": [["a"], ["a", "b"]], "Metrics": [{"Name": "M"}, {"Name": "N"}]}
    lines = [json.dumps({"_aws": {"CloudWatchMetrics": [directive]}, "a": "1", "b": b}) for b in (1, 1, 2)]
    assert len(metric_series.metric_series(lines[0])) == 4
    assert len(metric_series.metric_series("\n".join(lines))) == 4 + 2


def test_the_metrics_that_are_paid_for_are_those_of_the_lines_that_are_printed():
    api, run = metric_series.of_the_api(), metric_series.of_a_run()
    assert api == 2 * 5  # latency, series, time of inference, a cold start, a refusal; by service, and by route as well
    assert run == 3 + 2 * 5 + 5 * 5  # counts of the run; five figures so far, of 60 sessions, and of each step


def test_the_template_is_read_without_running_anything_in_it(tmp_path):
    made = tmp_path / "template.yaml"
    made.write_text("Resources: { A: !!python/object/apply:os.getcwd [] }\n", encoding="utf-8")
    with pytest.raises(yaml.constructor.ConstructorError):
        read(made)
