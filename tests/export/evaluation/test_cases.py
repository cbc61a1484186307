"""A case is a cutoff with a history and a future; its numbers are those worked by hand, and know nothing later."""

import dataclasses
import itertools
import math
import statistics

import numpy as np
import pytest

from export.data.prices import make_prices
from export.errors import InputError
from export.evaluation.cases import cases_of
from tests.export.evaluation.made import DAY, market


def test_returns_are_logarithms_since_the_cutoff():
    closes = [100.0] * 250 + [110.0, 121.0, 60.5]
    prices = make_prices({"AAA": (DAY + np.arange(253), closes)})
    cases = cases_of(prices, 60, 2, DAY)
    expected = [[math.log(1.1), math.log(1.21)], [math.log(1.1), math.log(0.55)]]
    np.testing.assert_allclose(cases.returns, expected, rtol=1e-12)
    assert cases.rows.tolist() == [249, 250]
    assert cases.cutoffs.tolist() == [(DAY + 249).item(), (DAY + 250).item()]


@pytest.mark.parametrize("horizon", [1, 5])
@pytest.mark.parametrize("window", [60, 249])
def test_each_series_has_a_case_at_every_cutoff_with_250_closes_and_the_horizon_after_it(window, horizon):
    prices = market(300, 270)
    cases = cases_of(prices, window, horizon, DAY)
    for owner, length in enumerate((300, 270)):
        own = cases.owners == owner
        within = cases.rows[own] - prices.starts[owner]  # counted from the series' first close
        assert within.tolist() == list(range(249, length - horizon))
        np.testing.assert_array_equal(cases.cutoffs[own], prices.series(f"S{owner}")[0][within])
    assert cases.ids == ("S0", "S1")
    assert cases.horizon == horizon
    assert np.all(np.diff(cases.rows) > 0)


def test_a_longer_window_is_within_its_series():
    prices = market(320, 320)
    cases = cases_of(prices, 300, 5, DAY)
    assert set(cases.owners.tolist()) == {0, 1}
    assert np.all(cases.rows - 299 >= prices.starts[cases.owners])


def test_returns_of_a_series_never_reach_into_the_next_one():
    prices = market(260, 260)
    prices = dataclasses.replace(prices, y=np.where(prices.owners() == 0, prices.y, 1e6))
    assert np.abs(cases_of(prices, 60, 5, DAY).returns).max() < 1


@pytest.mark.parametrize("day", [269, 270, 294])
def test_every_series_starts_on_the_first_day_where_it_has_the_history(day):
    cases = cases_of(market(300, 280), 60, 5, DAY + day)
    for owner in range(2):
        assert cases.cutoffs[cases.owners == owner].min() == DAY + day


def test_a_first_day_without_a_session_starts_at_the_next_session():
    days = np.concatenate([DAY + np.arange(260), DAY + np.arange(263, 280)])
    prices = make_prices({"AAA": (days, np.linspace(10, 20, len(days)))})
    assert cases_of(prices, 60, 2, DAY + 261).cutoffs.min() == DAY + 263


def test_a_series_one_close_too_short_is_left_out_and_one_just_long_enough_has_one_case():
    cases = cases_of(market(254, 255, 300), 60, 5, DAY)
    counts = np.bincount(cases.owners, minlength=3)
    assert counts.tolist() == [0, 1, 46]


@pytest.mark.parametrize(("length", "first"), [(254, DAY), (300, DAY + 295)])
def test_nothing_left_to_judge_is_the_users_fault_and_says_what_is_needed(length, first):
    with pytest.raises(InputError, match=f"no case is left: a series needs 250 closes.*{first}.*5 closes after"):
        cases_of(market(length), 60, 5, first)


def test_trailing_volatility_is_the_deviation_of_the_last_20_daily_returns():
    prices = market(300, 280)
    cases = cases_of(prices, 60, 5, DAY)
    for case in range(0, len(cases), 7):
        closes = prices.y[cases.rows[case] - 20 : cases.rows[case] + 1].tolist()
        daily = [math.log(later / earlier) for earlier, later in itertools.pairwise(closes)]
        assert len(daily) == 20
        assert cases.trailing[case] == pytest.approx(statistics.pstdev(daily), rel=1e-9)


def test_trailing_volatility_knows_nothing_later_than_the_cutoff_and_nothing_older_than_20_returns():
    prices = market(300)
    before = cases_of(prices, 60, 5, DAY)
    case = 15
    row = before.rows[case]
    y = prices.y.copy()
    y[row + 1 :] *= np.linspace(1.5, 3, len(y) - row - 1)
    y[: row - 20] *= np.linspace(1.5, 3, row - 20)
    after = cases_of(dataclasses.replace(prices, y=y), 60, 5, DAY)
    assert after.trailing[case] == before.trailing[case]
    assert after.trailing[case + 1] != before.trailing[case + 1]
    assert after.trailing[case - 1] != before.trailing[case - 1]


@pytest.mark.parametrize("which", [np.array([40, 3, 55]), np.arange(72) % 5 == 0])
def test_some_cases_alone_keep_all_that_belongs_to_them(which):
    cases = cases_of(market(300, 280), 60, 5, DAY)
    assert len(cases) == 46 + 26
    taken = cases.take(which)
    assert len(taken) == len(cases.rows[which])
    assert taken.ids == cases.ids
    for name in ("owners", "rows", "cutoffs", "returns", "trailing"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(cases, name)[which])
