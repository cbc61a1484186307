"""Day of a scheduled run: in the exchange's zone, none where there is no session, and it waits for closes."""

import datetime

import numpy as np
import pandas as pd
import pytest

from export.data import calendars
from lambda_fn.batch import plan
from lambda_fn.batch.errors import BatchRefused
from lambda_fn.batch.served_model import sessions
from tests.lambda_fn.batch.market import DAY, one
from tests.lambda_fn.batch.runs import asked, run


@pytest.fixture
def scheduled(prices, tmp_path):
    """Plan a run that was due at a moment."""

    def at(moment, places=prices, waited=0, **more):
        due = datetime.datetime.fromisoformat(moment)
        return plan.plan(asked(places, tmp_path / "out", None, scheduled=due, **more), waited=waited)

    return at


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-11-19T21:30:00+00:00", "2026-11-19"),  # half past six in the evening in São Paulo
        ("2026-11-19T18:30:00-03:00", "2026-11-19"),
        ("2026-11-20T00:30:00+00:00", "2026-11-19"),  # tomorrow already in Greenwich
        ("2026-11-20T02:59:59+00:00", "2026-11-19"),
        ("2026-11-19T03:00:00+00:00", "2026-11-19"),
        ("2026-11-20T11:00:00+09:00", "2026-11-19"),
    ],
)
def test_the_day_is_the_schedule_s_date_in_the_exchange_s_zone(scheduled, moment, day):
    answer = scheduled(moment)
    assert (answer.state, answer.as_of) == ("ready", day)


def test_the_moment_midnight_strikes_in_sao_paulo_it_is_the_next_day(scheduled):
    assert scheduled("2026-11-20T02:59:59+00:00").as_of == "2026-11-19"
    assert scheduled("2026-11-20T03:00:00+00:00").as_of == "2026-11-20"


@pytest.mark.parametrize(
    ("zone", "day"), [("America/New_York", "2026-11-18"), ("UTC", "2026-11-19"), ("Asia/Tokyo", "2026-11-19")]
)
def test_another_exchange_has_another_zone(scheduled, zone, day):
    answer = scheduled("2026-11-19T02:00:00+00:00", time_zone=zone)
    assert answer.as_of == day


def test_summer_time_is_that_of_the_day_itself(scheduled):
    for moment, day in (("2026-07-02T04:30:00+00:00", "2026-07-02"), ("2026-12-02T04:30:00+00:00", "2026-12-01")):
        assert scheduled(moment, time_zone="America/New_York").as_of == day


def test_a_retry_of_the_next_day_is_still_of_the_schedule_s(scheduled, prices, tmp_path):
    first = scheduled("2026-11-19T18:30:00-03:00")
    again = scheduled("2026-11-19T18:30:00-03:00", waited=4)
    assert first.place == again.place
    assert first.place == plan.plan(asked(prices, tmp_path / "out", DAY)).place  # by hand likewise


@pytest.mark.parametrize("moment", ["2026-11-19T21:30:00", "2026-11-19"])
def test_a_moment_without_its_offset_is_refused(scheduled, moment):
    with pytest.raises(BatchRefused, match="it needs as_of, or scheduled with its offset from UTC"):
        scheduled(moment)


@pytest.mark.parametrize("zone", ["Sao_Paulo", "", "../etc/passwd", "America/Atlantis", "x" * 500])
def test_a_zone_that_is_not_known_is_refused(scheduled, zone):
    with pytest.raises(BatchRefused) as caught:
        scheduled("2026-11-19T21:30:00+00:00", time_zone=zone)
    assert str(caught.value) == f"the input of the run: there is no time zone {zone!r}"


@pytest.mark.parametrize(
    ("calendar", "day"),
    [("BVMF", "2026-11-20"), ("BVMF", "2026-11-21"), ("XNYS", "2026-11-26"), ("weekdays", "2026-11-22")],
)
def test_on_a_day_without_a_session_there_is_nothing_to_do(scheduled, tmp_path, calendar, day):
    answer = scheduled(f"{day}T18:30:00-03:00", places=tmp_path / "not even read", calendar=calendar)
    assert (answer.state, answer.as_of, answer.place) == ("closed", day, None)
    assert not (tmp_path / "out").exists()


def test_a_day_asked_for_by_hand_needs_no_session(prices, tmp_path):
    assert plan.plan(asked(prices, tmp_path / "out", "2026-11-21", calendar="BVMF")).state == "ready"


def test_a_day_that_the_calendar_does_not_reach_is_not_called_closed(tmp_path, scheduled):
    one("A", np.full(60, 3.0), "2030-01-04").to_parquet(tmp_path / "p.parquet", index=False)
    assert scheduled("2030-01-04T18:30:00-03:00", places=tmp_path / "p.parquet", calendar="BVMF").state == "ready"


def market(arrived, late, dead, tmp_path):
    """Make a table of series with a close of the day, with one of the day before, and with none for a year."""
    ends = [DAY] * arrived + ["2026-11-18"] * late + ["2025-11-18"] * dead
    rows = [one(f"S{number:02}", np.full(60, 3.0), end) for number, end in enumerate(ends)]
    path = tmp_path / f"{arrived}-{late}-{dead}.parquet"
    pd.concat(rows).to_parquet(path, index=False)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arrived", "late", "dead", "state"),
    [
        (10, 0, 0, "ready"),
        (5, 5, 0, "ready"),  # half of them
        (4, 5, 0, "waiting"),
        (4, 6, 0, "waiting"),
        (0, 10, 0, "waiting"),
        (5, 5, 50, "ready"),  # the dead have had no close for long, and do not count
        (4, 6, 50, "waiting"),
        (1, 0, 50, "ready"),
        (0, 0, 3, "waiting"),  # the whole table is of last year
    ],
)
def test_it_waits_while_fewer_than_half_of_the_living_series_have_the_day_s_close(
    scheduled, tmp_path, arrived, late, dead, state
):
    answer = scheduled(f"{DAY}T18:30:00-03:00", places=market(arrived, late, dead, tmp_path))
    assert (answer.state, answer.arrived) == (state, arrived)
    if state == "waiting":
        assert (answer.series, answer.waited, answer.place) == (arrived + late, 1, None)
        assert not (tmp_path / "out").exists()


def test_it_counts_how_often_it_waited(scheduled, tmp_path):
    path = market(1, 9, 0, tmp_path)
    for waited in range(5):
        assert scheduled(f"{DAY}T18:30:00-03:00", places=path, waited=waited).waited == waited + 1


def test_closes_of_the_day_after_are_none_of_the_day_s(scheduled, tmp_path):
    path = tmp_path / "p.parquet"
    rows = [one(f"S{number}", np.full(60, 3.0), "2026-11-18") for number in range(4)]
    later = [pd.DataFrame({"unique_id": f"S{n}", "ds": pd.to_datetime(["2026-11-20"]), "y": 3.0}) for n in range(4)]
    pd.concat(rows + later).to_parquet(path, index=False)
    assert scheduled(f"{DAY}T18:30:00-03:00", places=path).state == "waiting"


def test_when_the_closes_come_the_run_goes_on(scheduled, tmp_path):
    assert scheduled(f"{DAY}T18:30:00-03:00", places=market(1, 9, 0, tmp_path)).state == "waiting"
    assert scheduled(f"{DAY}T18:30:00-03:00", places=market(9, 1, 0, tmp_path), waited=1).state == "ready"


def test_a_day_asked_for_by_hand_waits_for_nothing(tmp_path):
    assert run(market(0, 10, 0, tmp_path), tmp_path / "out").success.forecast == 10


def test_the_handler_says_what_step_functions_asks(tmp_path, capsys):
    market(2, 8, 0, tmp_path)
    settings = {"prices": str(tmp_path / "2-8-0.parquet"), "out": str(tmp_path / "out"), "calendar": "BVMF"}
    due = {"scheduled": "2026-11-19T21:30:00Z"}
    waiting = plan.handler({"settings": settings, "input": due, "waited": 2}, None)
    assert waiting == {"state": "waiting", "as_of": DAY, "series": 10, "arrived": 2, "waited": 3}
    ready = plan.handler({"settings": settings, "input": {"as_of": DAY}}, None)
    assert (ready["state"], ready["series"], ready["shards"], ready["waited"]) == ("ready", 10, 1, 0)
    assert ready["place"] == {
        "out": str(tmp_path / "out"),
        "work": str(tmp_path / "out" / "work"),
        "as_of": DAY,
        "run": ready["place"]["run"],
    }
    closed = plan.handler({"settings": settings, "input": {"scheduled": "2026-11-20T21:30:00Z"}}, None)
    assert closed == {"state": "closed", "as_of": "2026-11-20", "series": 0, "arrived": 0, "waited": 0}
    capsys.readouterr()


FIRST, LAST = np.datetime64("2026-01-01"), np.datetime64("2029-12-31")


@pytest.mark.parametrize("calendar", ["BVMF", "XNYS", "24/7", "weekdays"])
def test_sessions_holds_what_the_exchange_trades(calendar):
    known = set(calendars.sessions(calendar, FIRST, LAST).tolist())
    for day in np.arange(FIRST, LAST + 1).tolist():
        assert sessions().holds(calendar, day) is (day in known), day


@pytest.mark.parametrize("calendar", ["BVMF", "XNYS", "24/7", "weekdays"])
def test_between_counts_the_sessions_after_one_day_and_up_to_another(calendar):
    known = calendars.sessions(calendar, FIRST, LAST)
    pairs = np.random.default_rng(0).integers(0, (LAST - FIRST).astype(int) + 1, (500, 2))
    for first, last in FIRST + np.concatenate([pairs, [[0, 0], [0, 1460], [1460, 0], [5, 6]]]):
        expected = int(((known > first) & (known <= last)).sum())
        assert sessions().between(calendar, first.item(), last.item()) == expected, (first, last)


def test_beyond_the_calendar_s_file_a_day_is_unknown_and_weekdays_are_counted():
    for day in (datetime.date(2025, 12, 31), datetime.date(2030, 1, 1)):
        assert sessions().holds("BVMF", day) is None
        assert sessions().holds("weekdays", day) is True
    first, last = np.datetime64("2031-01-01"), np.datetime64("2031-03-01")
    assert sessions().between("BVMF", first.item(), last.item()) == np.busday_count(first + 1, last + 1)
    assert sessions().between("BVMF", datetime.date(2029, 12, 28), datetime.date(2030, 1, 4)) == 5
