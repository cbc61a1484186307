"""Checks against a calendar: missing sessions, rows on closed days, series that ended early."""

from __future__ import annotations

import numpy as np
import pytest

from export.data.audit.audit import audit
from export.data.calendars import sessions
from export.errors import InputError
from tests.export.data.audit.audited_tables import audited, found, raw, series
from tests.lambda_fn.tables.price_tables import HEADER, YAHOO, write


@pytest.mark.slow
def test_sessions_without_a_row_are_one_finding_for_each_run_of_them(tmp_path):
    days = ["2024-02-08", "2024-02-09", "2024-02-16", "2024-02-19", "2024-02-21"]  # carnival on 12 and 13
    report = audited(write(tmp_path / "t.csv", HEADER + series("A", days)), "BVMF")
    assert found(report, "missing-session") == [
        ("A", "2024-02-14", "2024-02-15", 2, "no row"),
        ("A", "2024-02-20", "2024-02-20", 1, "no row"),
    ]
    assert len(report.findings) == 2
    assert found(audited(tmp_path / "t.csv", "XNYS"), "missing-session") == [
        ("A", "2024-02-12", "2024-02-15", 4, "no row"),  # 19 February was Washington's birthday
        ("A", "2024-02-20", "2024-02-20", 1, "no row"),
    ]


def test_sessions_before_the_first_and_after_the_last_row_are_not_missing(tmp_path):
    table = HEADER + series("A", ["2024-01-02", "2024-01-03"]) + series("B", ["2024-01-08", "2024-01-09"])
    assert audited(write(tmp_path / "t.csv", table), "XNYS").findings == ()


def test_a_row_on_a_closed_day_does_not_part_the_gap_it_lies_in_but_bounds_one(tmp_path):
    days = ["2024-01-06", "2024-01-10", "2024-01-13", "2024-01-16", "2024-01-21"]  # 6 and 13 Saturdays, 21 a Sunday
    longer = series("B", ["2024-01-05", "2024-01-20", "2024-02-05"])
    report = audited(write(tmp_path / "t.csv", HEADER + series("A", days) + longer), "weekdays", ended_sessions=20)
    assert found(report, "missing-session") == [
        ("A", "2024-01-08", "2024-01-09", 2, "no row"),
        ("A", "2024-01-11", "2024-01-15", 3, "no row"),
        ("A", "2024-01-17", "2024-01-19", 3, "no row"),
        ("B", "2024-01-08", "2024-02-02", 20, "no row"),
    ]
    assert [day for _, day, *_ in found(report, "closed-day")] == [
        "2024-01-06",
        "2024-01-13",
        "2024-01-21",
        "2024-01-20",
    ]


def test_rows_of_one_closed_stretch_are_one_finding_that_says_whether_the_close_moved(tmp_path):
    rows = "A,2024-02-09,7\nA,2024-02-12,7\nA,2024-02-13,7\nA,2024-02-14,8\nA,2024-02-17,9\nA,2024-02-18,9\n"
    report = audited(write(tmp_path / "t.csv", HEADER + rows + "A,2024-02-24,10\n"), "BVMF")
    assert found(report, "closed-day") == [
        ("A", "2024-02-12", "2024-02-13", 2, "close unchanged"),
        ("A", "2024-02-17", "2024-02-18", 2, "close unchanged on 1 of 2"),
        ("A", "2024-02-24", "2024-02-24", 1, "Saturday, close changed"),
    ]


def test_the_same_weekday_for_weeks_on_end_is_one_finding(tmp_path):
    weekdays = sessions("weekdays", np.datetime64("2023-01-02"), np.datetime64("2023-06-30"))
    path = write(tmp_path / "t.csv", HEADER + series("A", weekdays.astype(str).tolist()))
    assert found(audited(path, "24/7"), "missing-session") == [
        ("A", "2023-01-07", "2023-06-24", 25, "each Saturday"),
        ("A", "2023-01-08", "2023-06-25", 25, "each Sunday"),
    ]
    sundays = [str(np.datetime64("2023-01-08") + 7 * week) for week in range(9) if week != 8]
    days = sorted([*weekdays.astype(str).tolist(), *sundays])
    report = audited(write(tmp_path / "t.csv", HEADER + series("A", days)), "weekdays")
    assert found(report, "closed-day") == [("A", "2023-01-08", "2023-02-26", 8, "each closed Sunday")]
    days.remove(sundays[3])  # now four Sundays and three: neither is eight on end
    report = audited(write(tmp_path / "t.csv", HEADER + series("A", days)), "weekdays")
    assert [count for *_, count, _ in found(report, "closed-day")] == [1] * 7


def test_a_long_absence_stays_one_finding_beside_weekly_ones(tmp_path):
    days = sessions("weekdays", np.datetime64("2023-01-02"), np.datetime64("2023-12-29"))
    gone = (days >= np.datetime64("2023-05-01")) & (days < np.datetime64("2023-08-01"))
    kept = [str(day) for day in days[~gone] if (day.astype(int) % 7) != 6]  # and no Wednesday
    report = audited(write(tmp_path / "t.csv", HEADER + series("A", kept)), "weekdays")
    assert found(report, "missing-session") == [
        ("A", "2023-01-04", "2023-04-26", 17, "each Wednesday"),
        ("A", "2023-05-01", "2023-07-31", 66, "no row"),
        ("A", "2023-08-02", "2023-12-27", 22, "each Wednesday"),
    ]


def test_yahoos_null_rows_are_told_from_rows_that_are_not_there(tmp_path):
    days = ["2024-02-09", "2024-02-15", "2024-02-19", "2024-02-21"]
    nulls = ["2024-02-12", "2024-02-14", "2024-02-16"]  # the first in carnival
    text = YAHOO + "".join(f"{day},1,1,1,{at + 9},{at + 9},{at}\n" for at, day in enumerate(days))
    text += "".join(f"{day},null,null,null,null,null,null\n" for day in nulls)
    report = audited(write(tmp_path / "PETR4.SA.csv", text), "BVMF")
    assert found(report, "missing-session") == [
        ("PETR4.SA", "2024-02-14", "2024-02-14", 1, "null row"),
        ("PETR4.SA", "2024-02-16", "2024-02-16", 1, "null row"),
        ("PETR4.SA", "2024-02-20", "2024-02-20", 1, "no row"),
    ]
    assert [day for _, day, *_ in found(report, "zero-volume")] == ["2024-02-09"]


@pytest.mark.slow
@pytest.mark.parametrize(("most", "found_early"), [(4, ["B"]), (5, []), (0, ["B"])])
def test_a_series_ended_early_when_more_sessions_follow_than_allowed(tmp_path, most, found_early):
    table = HEADER + series("A", ["2024-01-02", "2024-02-16"]) + series("B", ["2024-01-02", "2024-02-07"])
    path = write(tmp_path / "t.csv", table)  # 8, 9, 14, 15, 16 February are B3's sessions after B's last row
    report = audited(path, "BVMF", ended_sessions=most)
    early = found(report, "ended-early")
    assert [name for name, *_ in early] == found_early
    if early:
        assert early == [("B", "2024-02-08", "2024-02-16", 5, "A goes on to 2024-02-16")]


@pytest.mark.slow
def test_series_are_compared_within_their_calendar(tmp_path):
    rows = series("A", ["2024-01-02"]) + series("B", ["2024-03-01"]) + series("C", ["2024-03-04"])
    table = raw(write(tmp_path / "t.csv", HEADER + rows))
    report = audit(table, ["BVMF", "XNYS", "XNYS"])
    assert report.findings == ()
    assert report.checked["ended-early"] == 2
    assert [finding.unique_id for finding in audit(table, [None, None, None]).findings] == ["A"]
    report = audit(table, [None, None, "XNYS"])
    assert [(f.unique_id, f.kind, f.count) for f in report.findings] == [("A", "ended-early", 43)]  # by weekdays
    assert (report.checked["missing-session"], report.checked["duplicate"]) == (1, 3)


def test_days_a_calendar_does_not_know_are_refused_with_the_series(tmp_path):
    table = HEADER + "OLD,1998-01-02,1\nA,2024-01-02,1\nLATE,2024-01-03,1\n"
    with pytest.raises(InputError) as caught:
        audited(write(tmp_path / "t.csv", table), "XSAU")
    assert str(caught.value) == (
        "--calendar XSAU: its sessions are known from 2021-01-01 to 2029-12-31, asked for are 1998-01-02 to "
        "2024-01-03, the first row of OLD and the last of LATE"
    )
