"""The one line a request leaves: metric and log in one, and no place for what a client wrote."""

import json

import pytest

from lambda_fn import telemetry
from lambda_fn.api.handler import forecaster, handler, routes
from tests.lambda_fn.api.test_series import many
from tests.lambda_fn.conftest import Context, event


@pytest.fixture
def line(capsys):
    """Sends a request and returns its only line."""

    def sent(*arguments, **named):
        capsys.readouterr()
        handler(event(*arguments, **named), Context())
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 1
        return json.loads(lines[0])

    return sent


def metrics(line):
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: (metric["Unit"], line[metric["Name"]]) for metric in directive["Metrics"]}


def test_it_is_in_the_embedded_metric_format(line, walk):
    """By CloudWatch's specification: every metric and dimension named in the directive is a member of the line."""
    logged = line({"prices": walk})
    (directive,) = logged["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Efemera"
    assert directive["Dimensions"] == [["service", "route"], ["service"]]
    assert isinstance(logged["_aws"]["Timestamp"], int)
    for dimensions in directive["Dimensions"]:
        assert all(isinstance(logged[name], str) for name in dimensions)
    assert all(isinstance(value, int | float) for _, value in metrics(logged).values())


def test_it_says_what_an_operator_asks(line, walk, forecaster):
    logged = line({"prices": walk})
    assert (logged["service"], logged["route"], logged["status"]) == ("efemera", "/predict", 200)
    assert logged["request_id"] == "request-1"
    assert logged["model_version"] == forecaster.manifest.model_version
    assert logged["model_digest"] == forecaster.model_digest
    assert logged["refusals"] == {}
    counted = metrics(logged)
    assert counted["Series"] == ("Count", 1)
    (unit, latency), (_, inference) = counted["Latency"], counted["InferenceTime"]
    assert unit == "Milliseconds"
    assert 0 < inference < latency


def test_series_are_counted_and_those_refused_by_reason(line):
    series = [*many(3), {"id": "A", "prices": [40.0]}, {"id": "B", "prices": [0.0] * 60}, {"id": "C"}]
    logged = line({"series": series})
    assert logged["refusals"] == {"series-history": 2, "series-price": 1}
    counted = metrics(logged)
    assert counted["Series"] == ("Count", 3)
    assert counted["RefusedSeriesHistory"] == ("Count", 2)
    assert counted["RefusedSeriesPrice"] == ("Count", 1)


@pytest.mark.parametrize(
    ("asked", "status", "reason", "route"),
    [
        ({"body": "{"}, 400, "malformed-body", "/predict"),
        ({"path": "/secret"}, 404, "not-found", "none"),
        ({"path": "/predict", "method": "GET"}, 405, "method-not-allowed", "/predict"),
        ({"body": "x", "content_type": "text/plain"}, 415, "unsupported-media-type", "/predict"),
        ({"body": {"prices": []}}, 422, "invalid-request", "/predict"),
    ],
)
def test_a_refused_request_is_counted_by_its_reason(line, asked, status, reason, route):
    logged = line(**asked)
    assert (logged["status"], logged["refusals"], logged["route"]) == (status, {reason: 1}, route)
    counted = metrics(logged)
    assert counted["Refused" + reason.title().replace("-", "")] == ("Count", 1)
    assert "InferenceTime" not in counted


def test_every_route_leaves_its_line(line):
    for path, methods in routes.items():
        logged = line("{}", path=path, method=next(iter(methods)))
        assert logged["route"] == path.replace(forecaster.manifest.model_version, "{version}")


def test_only_the_first_request_of_a_process_is_a_cold_start(line, walk, monkeypatch):
    monkeypatch.setattr(telemetry, "_cold", True)
    first, second = line({"prices": walk}), line({"prices": walk})
    assert (first["cold_start"], metrics(first)["ColdStart"]) == (True, ("Count", 1))
    assert second["cold_start"] is False
    assert "ColdStart" not in metrics(second)


def test_metrics_can_be_turned_off(capsys, walk, monkeypatch):
    monkeypatch.setattr(telemetry, "_silent", True)
    handler(event({"prices": walk}), Context())
    assert capsys.readouterr().out == ""


class Served:
    """A model as `ready` sees it."""

    model_digest, self_check = "0123456789ab", 1e-7

    class manifest:  # noqa: N801
        model_version = "1"

    def __init__(self, verdict="calibrated", last="2999-12-31"):
        self.verdict = verdict
        self.sessions = type("Sessions", (), {"last": last})


def test_a_start_says_which_model_is_ready(caplog):
    with caplog.at_level("INFO", logger="efemera"):
        telemetry.ready(Served(last=None), 0.0123)
    (record,) = caplog.records
    assert (record.levelname, record.message) == ("INFO", "ready")
    assert (record.model_version, record.model_digest, record.verdict) == ("1", "0123456789ab", "calibrated")
    assert (record.self_check, record.milliseconds) == (1e-7, 12.3)


@pytest.mark.parametrize(
    ("served", "words"),
    [
        (Served("rejected"), "the model served was rejected by its evaluation"),
        (Served(last="2026-01-31"), "sessions.json ends soon"),
    ],
)
def test_a_start_warns_of_what_someone_should_look_at(served, words, caplog):
    with caplog.at_level("INFO", logger="efemera"):
        telemetry.ready(served, 0.01)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert caplog.records[1].message.startswith(words)
