"""Calendars: their days, the span they are known for, and which series follows which."""

from __future__ import annotations

import numpy as np
import pytest

from export.data.calendars import FROZEN, calendars_of, check_calendar, check_choices, sessions
from export.errors import InputError


def days(calendar: str, first: str, last: str) -> list[str]:
    return sessions(calendar, np.datetime64(first), np.datetime64(last)).astype(str).tolist()


def test_the_sessions_lie_between_both_days_and_include_them():
    assert days("BVMF", "2024-02-09", "2024-02-15") == ["2024-02-09", "2024-02-14", "2024-02-15"]  # carnival
    assert days("XNYS", "2024-07-03", "2024-07-05") == ["2024-07-03", "2024-07-05"]
    assert days("24/7", "2024-02-28", "2024-03-01") == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert days("weekdays", "2024-12-24", "2024-12-30") == [
        "2024-12-24",
        "2024-12-25",
        "2024-12-26",
        "2024-12-27",
        "2024-12-30",
    ]
    assert days("BVMF", "2024-12-25", "2024-12-25") == []


def test_a_calendar_is_used_up_to_the_very_bounds_of_what_it_knows():
    assert days("XSAU", "2021-01-01", "2021-01-04") == ["2021-01-03", "2021-01-04"]  # Sundays are sessions there
    assert days("XSAU", "2029-12-30", "2029-12-31") == ["2029-12-30", "2029-12-31"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("calendar", "first", "last", "known"),
    [
        ("XSAU", "2020-12-31", "2024-01-01", "2021-01-01 to 2029-12-31"),
        ("XSAU", "2024-01-01", "2030-01-01", "2021-01-01 to 2029-12-31"),
        ("BVMF", "0001-01-01", "2024-01-01", "1900-01-01 to 2261-12-31"),
        ("XNYS", "2024-01-01", "9999-12-31", "1900-01-01 to 2261-12-31"),
    ],
)
def test_days_that_a_calendar_does_not_know_are_refused_with_what_it_knows(calendar, first, last, known):
    with pytest.raises(InputError) as caught:
        days(calendar, first, last)
    assert (
        str(caught.value)
        == f"--calendar {calendar}: its sessions are known from {known}, asked for are {first} to {last}"
    )


def test_an_unknown_calendar_is_refused_with_near_names():
    for name in FROZEN:
        check_calendar(name)
    for name, near in (("bvmf", "BVMF"), ("Weekdays", "weekdays"), ("?", "BVMF, XNYS, 24/7, weekdays")):
        with pytest.raises(InputError, match=f"there is no calendar {name!r}; near are {near}".replace("?", r"\?")):
            check_calendar(name)


def test_an_ids_own_calendar_counts_before_patterns_and_the_first_pattern_before_others():
    ids = ("BTC-USD", "BTCX", "EURUSD=X", "PETR4", "VALE3", "[A]")
    choices = ["BTC*=24/7", "*X=weekdays", "BTCX=XNYS", "EURUSD=X=24/5", "PETR?=BVMF", "[A]=XLON"]
    assert calendars_of(ids, choices) == ("24/7", "XNYS", "24/5", "BVMF", None, "XLON")
    assert calendars_of(ids, [*choices, "XNAS"])[4] == "XNAS"
    assert calendars_of(("BTCY",), ["BTC*=24/7", "*Y=XNYS"]) == ("24/7",)
    assert calendars_of(ids, []) == (None,) * 6


def test_a_choice_for_no_series_is_refused_but_one_for_a_series_left_out_is_not():
    with pytest.raises(InputError, match=r"--calendar B\*=XNYS: no series fits 'B\*'; there are A, C, D, …"):
        calendars_of(("A", "C", "D", "E"), ["B*=XNYS"])
    assert calendars_of(("A",), ["B*=XNYS"], left_out=["BB"]) == (None,)


def test_choices_are_checked_before_any_series_is_known():
    check_choices(["BVMF", "A=XNYS", "B*=24/7"])
    for wrong in (["BVMF", "=XNYS"], ["A=XNYS", "A=BVMF"], ["A=nowhere"]):
        with pytest.raises(InputError, match="--calendar"):
            check_choices(wrong)
