"""`POST /explain`: the explanation as a client gets it, and for a wrong request every place that is wrong."""

import base64
import contextlib
import dataclasses
import datetime
import gzip
import io
import itertools
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from lambda_fn import telemetry
from lambda_fn.api.handler import forecaster, handler
from lambda_fn.model import attribution, gates
from lambda_fn.model.sessions import Sessions
from tests.lambda_fn.api.answers import answered
from tests.lambda_fn.api.test_deadline import Ending
from tests.lambda_fn.api.test_start import ROOT
from tests.lambda_fn.conftest import MODELS, Context, event

PRICES = [40.0 + 0.25 * (day % 7) + 0.01 * day for day in range(60)]
GATES = ["forget", "input", "output", "candidate", "cell", "hidden"]


def ask(body, **named):
    return answered(event(body, path="/explain", **named))


def pointers(answer):
    return [fault["pointer"] for fault in answer.body["errors"]]


def test_an_explanation_says_what_predict_says_and_why(walk):
    answer = ask({"prices": walk})
    forecast = answered(event({"prices": walk})).body
    assert answer.status == 200
    for name in ("predicted_price", "last_price", "verdict", "model_version", "model_digest", "warnings"):
        assert answer.body[name] == forecast[name]
    low, high = forecast["steps"][0]["intervals"]["80"]
    assert answer.body["forecast"] == {"median": forecast["predicted_price"], "width": high - low}
    shape = [answer.body[name] for name in ("cell", "layers", "units", "window", "level")]
    assert shape == ["lstm", 2, 50, 60, 80]
    assert answer.body["agreement"]["difference"] <= answer.body["agreement"]["tolerance"] < 1e-4


def test_days_stand_oldest_first_and_their_contributions_add_up(walk):
    body = ask({"prices": [1.0, 99.0, *walk]}).body
    days = body["days"]
    assert [day["day"] for day in days] == list(range(60))
    assert [day["price"] for day in days] == walk
    assert days[0]["return"] == 0
    assert days[41]["return"] == walk[41] / walk[40] - 1
    for name in ("median", "width"):
        total = body["forecast"][name] - body["baseline"][name]
        assert math.fsum(day[name] for day in days) == pytest.approx(total, abs=1e-12 * walk[-1])


def test_each_layer_of_a_day_is_the_mean_of_its_units(walk):
    attributed = attribution.attribute_forecast(forecaster, gates.load_weights(MODELS / "weights.npz"), np.array(walk))
    days = ask({"prices": walk}).body["days"]
    for day in (0, 30, 59):
        for number, layer in enumerate(days[day]["layers"]):
            assert [*layer] == [*GATES, "closed", "kept"]
            units = {name: attributed.layers[number][name][day].tolist() for name in GATES}
            for name in ("forget", "input", "output"):
                assert layer[name] == pytest.approx(math.fsum(units[name]) / 50, rel=1e-12)
            for name in ("candidate", "cell", "hidden"):
                assert layer[name] == pytest.approx(math.fsum(map(abs, units[name])) / 50, rel=1e-12)
            assert layer["closed"] == sum(gate < 0.5 for gate in units["forget"])
    assert [layer["kept"] for layer in days[59]["layers"]] == [1, 1]


def test_reach_counts_the_days_before_the_last_of_which_half_is_kept(walk):
    body = ask({"prices": walk}).body
    for number, reach in enumerate(body["reach"]):
        kept = [day["layers"][number]["kept"] for day in body["days"]]
        assert kept[59 - reach] >= 0.5 > kept[58 - reach]


def test_in_full_every_gate_comes_and_nothing_else_changes(walk):
    full, short = (ask({"prices": walk, "detail": detail}).body for detail in ("full", "days"))
    layers = full.pop("gates")
    assert full == short == ask({"prices": walk, "detail": None}).body
    attributed = attribution.attribute_forecast(forecaster, gates.load_weights(MODELS / "weights.npz"), np.array(walk))
    for layer, told in zip(attributed.layers, layers, strict=True):
        assert sorted(told.pop("order")) == list(range(50))
        assert [*told] == GATES
        assert all(np.allclose(told[name], layer[name], rtol=0, atol=5.1e-7) for name in GATES)


def dates(**asked):
    body = ask({"prices": PRICES, **asked}).body
    return [day.get("date") for day in body["days"]], body["warnings"]


def test_days_are_dated_back_over_the_sessions_of_the_calendar():
    answer, warnings = dates(last_date="2026-11-23", calendar="BVMF")
    assert (answer[-1], warnings) == ("2026-11-23", [])
    assert "2026-11-20" not in answer  # a holiday in São Paulo
    sessions = Sessions(MODELS)
    for one, following in itertools.pairwise(answer):
        [expected] = sessions.after("BVMF", datetime.date.fromisoformat(one), 1)
        assert following == expected


def test_without_a_calendar_days_are_weekdays_and_without_a_date_there_are_none():
    answer, _ = dates(last_date="2021-03-08")
    assert answer[-3:] == ["2021-03-04", "2021-03-05", "2021-03-08"]
    assert dates() == ([None] * 60, [])


def test_days_before_the_calendar_begins_have_no_date_and_a_warning():
    answer, warnings = dates(last_date="2026-01-06", calendar="BVMF")
    assert answer == [None] * 57 + ["2026-01-02", "2026-01-05", "2026-01-06"]
    assert warnings == ["undated"]
    assert dates(last_date="2020-01-06", calendar="XNYS")[0] == [None] * 59 + ["2020-01-06"]
    assert dates(last_date="0001-01-02")[0][-3:] == [None, "0001-01-01", "0001-01-02"]


def test_a_window_without_movement_is_explained_without_a_note():
    body = ask({"prices": [40.0] * 60}).body
    assert (body["warnings"], body["notes"]) == (["constant"], [])
    assert {day["width"] for day in body["days"]} == {0}


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({}, "/prices", "is required"),
        ({"prices": None}, "/prices", "must be a list of 60 to 5000 numbers"),
        ({"prices": PRICES[1:]}, "/prices", "must hold 60 to 5000 numbers, holds 59"),
        ({"prices": PRICES * 84}, "/prices", "must hold 60 to 5000 numbers, holds 5040"),
        ({"prices": [*PRICES, -1]}, "/prices/60", "must be a number between 1e-9 and 1e12"),
        ({"prices": PRICES, "detail": "all"}, "/detail", "must be one of days, full"),
        ({"prices": PRICES, "detail": ["full"]}, "/detail", "must be one of days, full"),
        ({"prices": PRICES, "calendar": "BVMF"}, "/calendar", "needs /last_date beside it"),
        ({"prices": PRICES, "calendar": "X", "last_date": "2026-11-23"}, "/calendar", "must be one of BVMF, XNYS"),
        ({"prices": PRICES, "last_date": "23/11/2026"}, "/last_date", "must be a calendar date (YYYY-MM-DD)"),
        ({"prices": PRICES, "horizon": 2}, "/horizon", "unknown field; known are prices, last_date, calendar, detail"),
        ({"prices": PRICES, "levels": [80]}, "/levels", "unknown field"),
        ({"series": [{"id": "A", "prices": PRICES}]}, "/series", "unknown field"),
        ([], "", "must be an object"),
    ],
)
def test_a_wrong_request_is_told_where(body, pointer, detail):
    answer = ask(body)
    assert answer.status == 422
    assert answer.body["errors"][0]["pointer"] == pointer
    assert answer.body["errors"][0]["detail"].startswith(detail)
    assert (answer.line["route"], answer.line["Series"]) == ("/explain", 0)


def test_every_fault_is_named_at_once():
    answer = ask({"prices": [*PRICES, "a"], "detail": 3, "last_date": 5, "calendar": "x", "horizon": 9})
    assert pointers(answer) == ["/horizon", "/prices/60", "/detail", "/last_date", "/calendar"]


def test_a_body_that_is_no_json_is_400():
    assert [ask(text).status for text in ("{", "", "[" * 100_000)] == [400, 400, 400]


def test_it_takes_post_alone():
    for method in ("GET", "HEAD", "PUT"):
        answer = answered(event(None, path="/explain", method=method))
        assert (answer.status, answer.headers["allow"], answer.line["route"]) == (405, "POST", "/explain")


def test_one_series_is_logged_as_one_whatever_was_asked_of_the_model(walk):
    line = ask({"prices": walk}).line
    assert (line["route"], line["status"], line["Series"], line["refusals"]) == ("/explain", 200, 1, {})
    assert 0 < line["InferenceTime"] < line["Latency"]


def test_a_client_that_takes_gzip_gets_it(walk):
    asked = event({"prices": walk}, path="/explain")
    asked["headers"]["accept-encoding"] = "gzip"
    answer = handler(asked, Context())
    assert answer["headers"]["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(base64.b64decode(answer["body"]))) == ask({"prices": walk}).body


def test_an_invocation_that_is_about_to_end_is_told_to_come_again(walk):
    answer = handler(event({"prices": walk}, path="/explain"), Ending(10))
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "1")
    assert handler(event({"prices": walk}, path="/explain"), Ending(10_000))["statusCode"] == 200


def test_equations_that_are_not_the_graph_explain_nothing_and_are_logged(walk, monkeypatch):
    weights = gates.load_weights(MODELS / "weights.npz")
    off = dataclasses.replace(weights, arrays={**weights.arrays, "linear.bias": weights.arrays["linear.bias"] + 0.01})
    monkeypatch.setattr(attribution, "served_weights", lambda *_: off)
    printed = io.StringIO()
    monkeypatch.setattr(telemetry.logger.registered_handler, "stream", printed)
    with contextlib.redirect_stdout(printed):
        answer = handler(event({"prices": walk}, path="/explain"), Context())
    problem = json.loads(answer["body"])
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (500, "application/problem+json")
    assert "did not pass its self-check" in problem["detail"]
    logged, line = (json.loads(text) for text in printed.getvalue().splitlines())
    assert (logged["message"], logged["request_id"]) == ("self-check failed", problem["instance"])
    assert "model.onnx differ by" in logged["reason"]
    assert line["refusals"] == {"self-check": 1}


def test_a_process_that_starts_loads_nothing_of_it():
    late = "{'lambda_fn.model.gates', 'lambda_fn.model.attribution', 'lambda_fn.api.explain_response', 'zipfile'}"
    code = f"import sys, lambda_fn.api.handler; loaded = {late} & {{*sys.modules}}; assert not loaded, loaded"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
