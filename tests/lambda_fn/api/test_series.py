"""Several series in one request, and steps dated by an exchange's sessions."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_fn.model.forecaster import WINDOWS_PER_RUN
from tests.lambda_fn.api.test_api import call, pointers, problem
from tests.lambda_fn.conftest import MODELS, walks

BAD = [[40.0] * 59, [40.0] * 59 + ["x"], "40", None, [40.0] * 5001, [0.0] * 60, {}]


def many(count, seed=0):
    """Seeded walks of 60 closes, as a request's series."""
    return [{"id": f"S{i}", "prices": one.tolist()} for i, one in enumerate(walks(count, seed))]


def test_each_series_is_answered_as_it_would_be_alone(forecaster):
    series = many(2 * WINDOWS_PER_RUN + 3)
    status, _, body = call({"series": series, "horizon": 2, "levels": [80]})
    assert status == 200
    assert set(body) == {"forecasts", "verdict", "model_version", "model_digest"}
    assert body["model_digest"] == forecaster.model_digest
    assert [forecast["id"] for forecast in body["forecasts"]] == [one["id"] for one in series]
    for one, forecast in zip(series, body["forecasts"], strict=True):
        alone = call({"prices": one["prices"], "horizon": 2, "levels": [80]})[2]
        assert forecast["last_price"] == forecast["naive_price"] == one["prices"][-1]
        for step, expected in zip(forecast["steps"], alone["steps"], strict=True):
            assert step["median"] == pytest.approx(expected["median"], rel=1e-7)
            assert step["intervals"]["80"] == pytest.approx(expected["intervals"]["80"], rel=1e-7)
        assert forecast["predicted_price"] == forecast["steps"][0]["median"]


def test_the_order_of_the_series_changes_no_bit():
    series = many(WINDOWS_PER_RUN)
    forward, backward = (call({"series": one})[2]["forecasts"] for one in (series, series[::-1]))
    assert forward == backward[::-1]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_series_gets_its_error_and_the_others_their_forecast(bad):
    good = many(3)
    series = [good[0], {"id": "BAD", "prices": bad}, good[1], good[2]]
    status, headers, body = call({"series": series})
    assert (status, headers["content-type"]) == (200, "application/json")
    assert [forecast["id"] for forecast in body["forecasts"]] == ["S0", "BAD", "S1", "S2"]
    error = body["forecasts"][1]["error"]
    assert (error["status"], error["type"], error["instance"]) == (422, "/problems/invalid-request", "request-1")
    assert all(fault["pointer"].startswith("/series/1/prices") for fault in error["errors"])
    assert error["detail"].startswith("/series/1/prices")
    expected = call({"series": good})[2]["forecasts"]
    assert [body["forecasts"][i] for i in (0, 2, 3)] == expected


def test_a_series_of_many_faults_counts_them_and_shows_the_first():
    error = call({"series": [{"id": "A", "prices": [-1] * 100}]})[2]["forecasts"][0]["error"]
    assert error["detail"].endswith("(and 99 more)")
    assert len(error["errors"]) == 20


def test_options_are_read_alike_beside_a_bad_series_and_without_one():
    options = {"horizon": 2.0, "levels": [80.0], "last_date": "2026-12-23", "calendar": "BVMF"}
    good = many(1)
    alone = call({"series": good, **options})[2]["forecasts"]
    beside = call({"series": [*good, {"id": "BAD", "prices": []}], **options})[2]["forecasts"]
    assert beside[0] == alone[0]


def test_when_every_series_is_bad_each_says_why():
    series = [{"id": str(number), "prices": bad} for number, bad in enumerate(BAD)]
    status, _, body = call({"series": series})
    assert status == 200
    assert all("error" in forecast for forecast in body["forecasts"])


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({"series": []}, "/series", "must be a list of 1 to 1000 objects"),
        ({"series": {}}, "/series", "must be a list of 1 to 1000 objects"),
        ({"series": many(1) * 1001}, "/series", "must be a list of 1 to 1000 objects"),
        ({"series": [3]}, "/series/0", 'must be an object with "id" and "prices"'),
        ({"series": [{"prices": [40.0] * 60}]}, "/series/0/id", "must be text of 1 to 200 characters"),
        ({"series": [{"id": "", "prices": [40.0] * 60}]}, "/series/0/id", "must be text"),
        ({"series": [{"id": 3, "prices": [40.0] * 60}]}, "/series/0/id", "must be text"),
        ({"series": [{"id": "\ud800", "prices": [40.0] * 60}]}, "/series/0/id", "must be text"),
        ({"series": [{"id": "x" * 201, "prices": [40.0] * 60}]}, "/series/0/id", "must be text"),
        ({"series": [*many(2), many(1)[0]]}, "/series/2/id", "is that of /series/0 as well"),
        ({"series": [{**many(1)[0], "price": 1}]}, "/series/0/price", "unknown field; known are id, prices"),
        ({"series": many(1), "prices": [40.0] * 60}, "/series", "can't stand beside /prices"),
        ({"series": many(1), "horizon": 9}, "/horizon", "must be a whole number from 1 to 5"),
        ({"series": None}, "/prices", "is required"),
    ],
)
def test_what_is_wrong_with_the_request_itself_is_422(body, pointer, detail):
    status, refused = problem(json.dumps(body))
    assert status == 422
    assert refused["errors"][0]["pointer"] == pointer
    assert refused["errors"][0]["detail"].startswith(detail)


def test_faults_of_the_request_and_of_its_series_together_are_the_requests():
    status, refused = problem({"series": [{"id": "A", "prices": "x"}, {"id": "A", "prices": []}], "levels": [7]})
    assert status == 422
    assert pointers(refused) == ["/series/1/id", "/levels/0"]


def test_steps_are_dated_by_the_exchange(walk):
    """Between Christmas and New Year B3 trades on 28, 29 and 30 December 2026."""
    body = call({"prices": walk, "last_date": "2026-12-23", "calendar": "BVMF"})[2]
    days = [step["date"] for step in body["steps"]]
    assert days == ["2026-12-28", "2026-12-29", "2026-12-30", "2027-01-04", "2027-01-05"]
    assert body["warnings"] == []
    assert (
        call({"series": many(2), "last_date": "2026-12-23", "calendar": "24/7", "horizon": 2})[2]["forecasts"][1][
            "steps"
        ][1]["date"]
        == "2026-12-25"
    )


def test_without_a_calendar_steps_are_weekdays_and_without_a_day_they_have_no_date(walk):
    body = call({"prices": walk, "last_date": "2026-11-20", "horizon": 2})[2]
    assert [step["date"] for step in body["steps"]] == ["2026-11-23", "2026-11-24"]
    assert "date" not in call({"prices": walk})[2]["steps"][0]


def test_the_last_days_of_the_calendar_have_no_sessions_after_them(walk):
    body = call({"prices": walk, "last_date": "9999-12-29"})[2]
    assert [step["date"] for step in body["steps"]] == ["9999-12-30", "9999-12-31", None, None, None]
    assert body["warnings"] == ["undated"]


@pytest.mark.parametrize("day", ["2001-05-05", "2035-01-01"])
def test_days_that_a_calendar_does_not_reach_have_no_date_and_a_warning(walk, day):
    body = call({"prices": walk, "last_date": day, "calendar": "XNYS"})[2]
    assert [step["date"] for step in body["steps"]] == [None] * 5
    assert body["warnings"] == ["undated"]
    assert call({"prices": [40.0] * 60, "last_date": day, "calendar": "XNYS"})[2]["warnings"] == ["constant", "undated"]


@pytest.mark.parametrize(
    ("options", "pointer", "detail"),
    [
        ({"last_date": "2026-13-01"}, "/last_date", "must be a calendar date (YYYY-MM-DD)"),
        ({"last_date": 20261101}, "/last_date", "must be a calendar date (YYYY-MM-DD)"),
        ({"last_date": "2026-11-20", "calendar": "B3"}, "/calendar", "must be one of BVMF, XNYS, 24/7, weekdays"),
        ({"last_date": "2026-11-20", "calendar": ["BVMF"]}, "/calendar", "must be one of BVMF"),
        ({"calendar": "BVMF"}, "/calendar", "needs /last_date beside it"),
    ],
)
def test_a_day_or_calendar_that_is_none_is_named(walk, options, pointer, detail):
    status, refused = problem({"prices": walk, **options})
    assert status == 422
    assert refused["errors"][0]["pointer"] == pointer
    assert refused["errors"][0]["detail"].startswith(detail)


KEY = st.sampled_from(["series", "id", "prices", "last_date", "calendar", "horizon"])
VALUE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4) | st.sampled_from(["2026-11-20", "BVMF"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner) | st.just([40.0] * 60),
    max_leaves=10,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEY, VALUE))
def test_any_request_of_these_fields_gets_2xx_or_4xx(value):
    status, _, _ = call(json.dumps(value))
    assert status in (200, 422)


def test_the_project_has_its_sessions():
    calendars = json.loads((MODELS / "sessions.json").read_text())["calendars"]
    assert set(calendars) == {"BVMF", "XNYS", "24/7", "weekdays"}
