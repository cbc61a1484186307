"""Settings of a run: one that can't be is refused in one line, any other is obeyed."""

import pytest

from lambda_fn.batch import plan
from lambda_fn.batch.errors import BatchRefused
from tests.lambda_fn.batch.runs import run


def test_a_calendar_that_is_not_known(refusal, prices):
    assert refusal(prices, error=BatchRefused, calendar="BOVESPA") == (
        "the input of the run: calendar 'BOVESPA' is not one of BVMF, XNYS, 24/7, weekdays"
    )


def test_a_run_without_a_day(refusal, prices):
    assert refusal(prices, error=BatchRefused, as_of=None) == (
        "the input of the run: it needs as_of, or scheduled with its offset from UTC"
    )


@pytest.mark.parametrize("day", ["0001-01-01", "0001-02-01", "1492-10-12"])
def test_a_day_before_any_exchange(refusal, prices, day):
    assert refusal(prices, error=BatchRefused, as_of=day) == (f"the input of the run: as_of {day} is before 1602-01-01")


@pytest.mark.slow
@pytest.mark.parametrize("day", ["1602-01-01", "1900-01-01", "9999-12-31"])
@pytest.mark.parametrize("calendar", ["BVMF", "24/7", "weekdays"])
def test_any_later_day_can_be_asked_for(prices, tmp_path, day, calendar):
    statuses = {status for status, _ in run(prices, tmp_path / "out", day, calendar=calendar).reasons.values()}
    assert statuses == {"stale" if day > "2026" else "too short"}


def test_the_handler_names_the_setting_that_is_wrong():
    settings = {"prices": "p.csv", "out": "out"}
    for wrong, words in (
        ({"series_per_shard": 1}, "Expected `int` >= 16 - at `$.series_per_shard`"),
        ({"stale_after": -1}, "Expected `int` >= 0 - at `$.stale_after`"),
        ({"as_of": "2026-02-30"}, "Invalid RFC3339 encoded date - at `$.as_of`"),
        ({"asof": "2026-11-19"}, "Object contains unknown field `asof`"),
        ({"prices": 7}, "Expected `str | array`, got `int` - at `$.prices`"),
    ):
        with pytest.raises(BatchRefused) as caught:
            plan.handler({"settings": settings, "input": wrong}, None)
        assert str(caught.value) == f"the input of the run: {words}"
