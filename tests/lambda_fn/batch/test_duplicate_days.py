"""A day given twice: at one price it counts once, at two it is held against the series if the model would read it."""

import pandas as pd
import pytest

from tests.lambda_fn.batch import oracle
from tests.lambda_fn.batch.market import DAY, one
from tests.lambda_fn.batch.runs import run
from tests.lambda_fn.batch.test_refusals import DATES, GOOD, lines, reason


def test_a_day_given_twice_with_two_closes_names_both(tmp_path):
    assert reason(tmp_path, [*lines(), f"BAD,{DATES[-5]},99"]) == (
        "duplicate date",
        f"{DATES[-5]} has closes of {float(GOOD[-5])} and 99.0",
    )


def test_the_closes_of_a_day_given_twice_are_named_in_the_same_order_however_they_come(tmp_path):
    found = {reason(tmp_path, order) for order in ([*lines(), f"BAD,{DAY},2"], [f"BAD,{DAY},2", *lines()])}
    assert found == {("duplicate date", f"{DAY} has closes of 2.0 and {float(GOOD[-1])}")}


def test_a_day_given_twice_with_one_close_counts_once(tmp_path):
    rows = lines()[-60:]
    assert reason(tmp_path, [*rows, *rows[10:]]) == ("forecast", None)
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(["unique_id,ds,y", *rows, *rows[10:]]))
    expected = oracle.forecasts(one("BAD", GOOD), DAY)
    found = run(path, tmp_path / "twice").forecasts
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_exact=True)


def test_rows_given_twice_do_not_make_a_series_long_enough(tmp_path):
    rows = lines()[-59:]
    assert reason(tmp_path, [*rows, *rows]) == ("too short", f"59 closes up to {DAY}; 60 are needed")


@pytest.mark.slow
@pytest.mark.parametrize("rows", [60, 61, 70])
def test_two_closes_of_the_first_day_of_the_window_are_seen(tmp_path, rows):
    once, again = lines()[-rows:], f"BAD,{DATES[-60]},99"
    found = {reason(tmp_path, order) for order in ([*once, again], [again, *once])}
    assert found == {("duplicate date", f"{DATES[-60]} has closes of {float(GOOD[-60])} and 99.0")}


def test_two_closes_of_the_day_before_the_window_are_not_held_against_it(tmp_path):
    assert reason(tmp_path, [*lines(), f"BAD,{DATES[-61]},99"]) == ("forecast", None)


@pytest.mark.slow
def test_many_rows_of_one_day_do_not_hide_the_days_before(tmp_path):
    rows = [*lines(), *[f"BAD,{DAY},{GOOD[-1]}"] * 200]
    assert reason(tmp_path, rows) == ("forecast", None)
    assert reason(tmp_path, [*rows, f"BAD,{DATES[-60]},99"])[0] == "duplicate date"
    assert reason(tmp_path, [*rows, f"BAD,{DATES[-61]},99"]) == ("forecast", None)
