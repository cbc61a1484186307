"""Of a series its last sixty closes up to the day decide, and nothing before or after them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lambda_fn.batch import oracle
from tests.lambda_fn.batch.market import DAY, days, one, table
from tests.lambda_fn.batch.runs import run

LONG = 1500  # rows: six years


@pytest.fixture(scope="module")
def long():
    """Four series of six years, with fifty rows after the day."""
    return table(4, LONG, last="2027-01-28", seed=4)


@pytest.fixture(scope="module")
def ran(long, tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    long.to_parquet(folder / "prices.parquet", index=False)
    return run(folder / "prices.parquet", folder / "out")


def test_a_long_history_gives_the_forecast_of_its_last_sixty_closes(long, ran, tmp_path):
    expected = oracle.forecasts(long, DAY)
    pd.testing.assert_frame_equal(ran.forecasts[expected.columns], expected, check_exact=True)
    known = long[long["ds"] <= DAY]
    known.groupby("unique_id").tail(60).to_parquet(tmp_path / "prices.parquet", index=False)
    short = run(tmp_path / "prices.parquet", tmp_path / "out")
    pd.testing.assert_frame_equal(short.forecasts, ran.forecasts, check_exact=True)
    pd.testing.assert_frame_equal(short.status, ran.status, check_exact=True)


def test_only_rows_up_to_the_day_are_counted(long, ran):
    assert ran.plan.rows == (long["ds"] <= DAY).sum()
    assert set(ran.status["cutoff"].astype(str)) == {DAY}


@pytest.mark.parametrize("change", [0.0, -1.0, np.nan, 1e6])
def test_what_comes_after_the_day_changes_nothing_not_even_by_being_wrong(long, ran, tmp_path, change):
    later = long["ds"] > DAY
    assert later.any()
    long.assign(y=long["y"].where(~later, change)).to_parquet(tmp_path / "prices.parquet", index=False)
    found = run(tmp_path / "prices.parquet", tmp_path / "out")
    pd.testing.assert_frame_equal(found.forecasts, ran.forecasts, check_exact=True)
    pd.testing.assert_frame_equal(found.status, ran.status, check_exact=True)


def test_without_the_rows_after_the_day_the_forecast_is_the_same(long, ran, tmp_path):
    long[long["ds"] <= DAY].to_parquet(tmp_path / "prices.parquet", index=False)
    found = run(tmp_path / "prices.parquet", tmp_path / "out")
    pd.testing.assert_frame_equal(found.forecasts, ran.forecasts, check_exact=True)


@pytest.mark.parametrize("change", [0.0, np.nan, 1e13, 3.0])
def test_what_was_before_the_sixty_changes_nothing_not_even_by_being_wrong(long, ran, tmp_path, change):
    before = long.groupby("unique_id")["ds"].rank(ascending=False) > 60 + 50
    long.assign(y=long["y"].where(~before, change)).to_parquet(tmp_path / "prices.parquet", index=False)
    found = run(tmp_path / "prices.parquet", tmp_path / "out")
    pd.testing.assert_frame_equal(found.forecasts, ran.forecasts, check_exact=True)


def test_the_sixtieth_row_does_matter(long, ran, tmp_path):
    known = long[long["ds"] <= DAY]
    first = known.groupby("unique_id").nth(-60).index
    doubled = long["y"].where(~long.index.isin(first), long["y"] * 2)
    long.assign(y=doubled).to_parquet(tmp_path / "p.parquet", index=False)
    found = run(tmp_path / "p.parquet", tmp_path / "out")
    assert (found.forecasts["efemera-lo-95"] != ran.forecasts["efemera-lo-95"]).all()


@pytest.mark.slow
def test_each_day_has_the_forecast_of_its_own_window(long, tmp_path):
    long.to_parquet(tmp_path / "prices.parquet", index=False)
    for day in ("2021-09-30", "2024-02-29", "2027-01-28"):
        expected = oracle.forecasts(long, day)
        found = run(tmp_path / "prices.parquet", tmp_path / "out", day)
        pd.testing.assert_frame_equal(found.forecasts[expected.columns], expected, check_exact=True)


def test_series_that_end_on_different_days_each_have_their_own_window(tmp_path):
    walk = table(6, 90)
    ends = [days(90)[-1 - number] for number in range(6)]
    every = pd.concat([rows[rows["ds"] <= end] for (_, rows), end in zip(walk.groupby("unique_id"), ends, strict=True)])
    every.to_parquet(tmp_path / "prices.parquet", index=False)
    expected = oracle.forecasts(every, DAY)
    found = run(tmp_path / "prices.parquet", tmp_path / "out")
    pd.testing.assert_frame_equal(found.forecasts[expected.columns], expected, check_exact=True)
    assert pd.to_datetime(found.status["cutoff"]).tolist() == ends


def test_exactly_sixty_closes_are_enough(tmp_path):
    one("A", np.linspace(1, 2, 60)).to_parquet(tmp_path / "prices.parquet", index=False)
    assert run(tmp_path / "prices.parquet", tmp_path / "out").success.forecast == 1


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=8),
    back=st.integers(0, 5),
    order=st.randoms(use_true_random=False),
    row_group=st.integers(1, 400),
)
def test_any_lengths_in_any_order_of_rows_give_what_pandas_reads(tmp_path_factory, lengths, back, order, row_group):
    every = pd.concat(
        [table(1, length, seed=number).assign(unique_id=f"S{number}") for number, length in enumerate(lengths)]
    )
    rows = list(range(len(every)))
    order.shuffle(rows)
    folder = tmp_path_factory.mktemp("any")
    every.iloc[rows].to_parquet(folder / "prices.parquet", index=False, row_group_size=row_group)
    day = str(days(back + 1)[0].date())
    found = run(folder / "prices.parquet", folder / "out", day)
    enough = {f"S{number}" for number, length in enumerate(lengths) if length - back >= 60}
    assert {name for name, (status, _) in found.reasons.items() if status == "forecast"} == enough
    assert {status for status, _ in found.reasons.values()} <= {"forecast", "too short"}
    if enough:
        expected = oracle.forecasts(every[every["unique_id"].isin(enough)], day)
        pd.testing.assert_frame_equal(found.forecasts[expected.columns], expected, check_exact=True)
