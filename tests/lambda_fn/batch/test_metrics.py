"""CloudWatch metrics of a finished run: lines in the embedded metric format, one of the run, one of each step."""

import json

import msgspec
import numpy as np
import pandas as pd
import pytest

from lambda_fn import MODELS
from lambda_fn.batch import cloudwatch_metrics, finish, plan, served_model
from lambda_fn.batch.records import Success
from tests.lambda_fn.batch.market import DAY, days, one, table
from tests.lambda_fn.batch.runs import asked, forecast_all

SUCCESS = Success(
    1, "2026-11-19", "BVMF", "v1", "0123456789ab", "abcdef012345", 5, [95.0, 80.0, 50.0], 100, 90,
    {"bad price": 3, "too short": 7}, "calibrated", "duckdb", 1, "2026-11-19T21:40:00+00:00",
)  # fmt: skip


def scored(sessions, steps=2):
    """Make a scores table of so many sessions."""
    days = np.repeat(pd.bdate_range("2026-01-01", periods=sessions).to_numpy(), steps)
    return {
        "ds": days,
        "step": np.tile(np.arange(1, steps + 1), sessions),
        "series": np.full(len(days), 10),
        "mae": np.tile([0.02, 0.04, 0.06][:steps], sessions),
        "mae_naive": np.full(len(days), 0.04),
        "pinball": np.full(len(days), 0.0123456789),
        "coverage-80": np.full(len(days), 0.79),
        "coverage-95": np.full(len(days), 0.94),
    }


@pytest.fixture
def printed(capsys, monkeypatch):
    """Return the lines printed, each read as CloudWatch reads it."""
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)

    def lines(scores, success=SUCCESS):
        cloudwatch_metrics.write(success, scores)
        return [parsed(json.loads(line)) for line in capsys.readouterr().out.splitlines()]

    return lines


def parsed(line):
    """Dimensions, metrics with their values, and what else is told; held to what CloudWatch demands."""
    assert line["_aws"]["Timestamp"] > 1_700_000_000_000
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Efemera"
    [dimensions] = directive["Dimensions"]
    assert len(dimensions) <= 9
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert len(names) == len(set(names)) <= 100
    assert all(metric["Unit"] in ("Count", "None") for metric in directive["Metrics"])
    assert all(isinstance(line[name], int | float) for name in names)
    assert all(isinstance(line[name], str) for name in dimensions)
    counts = {metric["Name"] for metric in directive["Metrics"] if metric["Unit"] == "Count"}
    assert counts == {name for name in names if name.startswith("Batch")}
    told = {name: value for name, value in line.items() if name not in {"_aws", *dimensions, *names}}
    return {name: line[name] for name in dimensions}, {name: line[name] for name in names}, told


TOLD = {
    "as_of": "2026-11-19",
    "model_version": "v1",
    "model_digest": "0123456789ab",
    "input_digest": "abcdef012345",
}


def test_a_run_without_scores_is_one_line_of_counts(printed):
    assert printed({}) == [
        (
            {"service": "efemera"},
            {"BatchSeries": 100, "BatchForecast": 90, "BatchRefusedBadPrice": 3, "BatchRefusedTooShort": 7},
            TOLD,
        )
    ]


def test_scores_are_told_pooled_and_step_by_step(printed):
    whole, first, second = printed(scored(10))
    assert whole[0] == {"service": "efemera"}
    figures = {"ErrorToNaive": 0.75, "Pinball": 0.012346, "Coverage80": 0.79, "Coverage95": 0.94}
    assert {name: value for name, value in whole[1].items() if not name.startswith("Batch")} == figures
    assert first[:2] == ({"service": "efemera", "step": "1"}, figures | {"ErrorToNaive": 0.5})
    assert second[:2] == ({"service": "efemera", "step": "2"}, figures | {"ErrorToNaive": 1.0})
    assert first[2] == second[2] == TOLD


@pytest.mark.parametrize(("sessions", "watched"), [(1, False), (59, False), (60, True)])
def test_the_alarms_metrics_come_with_the_sixtieth_session(printed, sessions, watched):
    whole, *steps = printed(scored(sessions))
    names = {name for name in whole[1] if name.endswith("Of60")}
    assert names == ({"ErrorToNaiveOf60", "PinballOf60", "Coverage80Of60", "Coverage95Of60"} if watched else set())
    assert all(whole[1][name] == whole[1][name.removesuffix("Of60")] for name in names)
    assert not [name for _, metrics, _ in steps for name in metrics if name.endswith("Of60")]


def test_the_alarms_of_the_template_watch_these_very_names():
    template = (MODELS.parent / "template.yaml").read_text()
    for name in ("Coverage80Of60", "ErrorToNaiveOf60"):
        assert f"MetricName: {name}" in template


def test_a_ratio_that_is_no_number_is_left_out(printed):
    whole, *_ = printed(scored(3) | {"mae_naive": np.zeros(6)})
    assert "ErrorToNaive" not in whole[1]


def test_metrics_can_be_switched_off(printed, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    assert printed(scored(3)) == []


def test_the_handler_of_the_last_step_prints_them(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    pd.concat([table(20), one("short", [1.0])]).to_parquet(tmp_path / "prices.parquet", index=False)
    for day in (str(days(3)[0].date()), DAY):
        place = plan.plan(asked(tmp_path / "prices.parquet", tmp_path / "out", day)).place
        forecast_all(place)
        capsys.readouterr()
        answer = finish.handler({"place": msgspec.to_builtins(place)}, None)
        assert (answer["series"], answer["forecast"], answer["refused"]) == (21, 20, {"too short": 1})
    whole, *steps = (parsed(json.loads(line)) for line in capsys.readouterr().out.splitlines())
    assert whole[1]["BatchForecast"] == 20
    assert whole[2]["as_of"] == DAY
    assert whole[2]["model_digest"] == served_model.model_digest()
    assert [dimensions["step"] for dimensions, _, _ in steps] == ["1", "2"]
    assert 0 <= whole[1]["Coverage80"] <= 1
