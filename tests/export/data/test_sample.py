"""The made market: reproducible, and with the features that real closes have."""

import numpy as np
import pytest

from export.data.calendars import sessions
from export.data.sample import made_market, sample_prices
from export.errors import InputError

END = np.datetime64("2024-12-30")


def autocorrelation(values, lag=1):
    return np.corrcoef(values[:-lag], values[lag:])[0, 1]


def test_one_seed_is_one_market():
    one, other, same = (sample_prices(3, 50, seed, "BVMF", END) for seed in (1, 2, 1))
    assert one.digest() == same.digest()
    assert one.digest() != other.digest()
    assert one.ids == ("MADE1", "MADE2", "MADE3")


def test_ids_are_padded_so_that_they_sort():
    made = sample_prices(12, 2, 0, "weekdays", END)
    assert list(made.ids) == sorted(made.ids)
    assert made.ids[0] == "MADE01"


def test_the_days_are_the_last_sessions_of_the_exchange():
    made = sample_prices(2, 300, 0, "BVMF", END)
    days, closes = made.series("MADE2")
    np.testing.assert_array_equal(days, sessions("BVMF", days[0], END))
    assert len(days) == len(closes) == 300
    assert np.datetime64("2024-12-25") not in days


@pytest.mark.slow
@pytest.mark.parametrize("calendar", ["BVMF", "XNYS", "24/7", "weekdays", "XTAE"])
def test_every_calendar_has_enough_days(calendar):
    assert len(sample_prices(1, 1500, 0, calendar, END)) == 1500


@pytest.mark.slow
def test_a_calendar_that_does_not_reach_back_is_said():
    with pytest.raises(InputError, match="XKRX"):
        sample_prices(1, 20_000, 0, "XKRX", END)


def test_returns_are_fat_clustered_and_share_a_factor():
    returns = np.diff(np.log(made_market(40, 3000, seed=1)), axis=1)  # (series, days - 1)
    standard = (returns - returns.mean(axis=1, keepdims=True)) / returns.std(axis=1, keepdims=True)
    assert np.median((standard**4).mean(axis=1)) > 4.5  # a normal has 3
    assert np.median([autocorrelation(np.abs(one)) for one in returns]) > 0.1
    assert abs(np.median([autocorrelation(one) for one in returns])) < 0.05  # and the sign can't be foreseen
    correlation = np.corrcoef(returns)[np.triu_indices(40, 1)]
    assert 0.15 < np.median(correlation) < 0.6
    assert 0.012 < returns.std() < 0.022


def test_every_day_is_heard_of():
    heard = []
    made_market(2, 5, 0, on_day=heard.append)
    assert heard == [0, 1, 2, 3, 4]
