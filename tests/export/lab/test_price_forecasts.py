"""The three cells on the same prices: what it takes to be called better."""

import numpy as np
import pytest

from export.lab import price_forecasts as on_prices
from export.lab.experiment import FAILS
from tests.export.lab.numbers import priced


@pytest.mark.parametrize("change", [{"p_value": 0.03}, {"high": 1.001}, {"seeds_better": 2 / 3}])
def test_better_needs_the_interval_the_test_and_every_seed(change):
    numbers = priced("better", "better")
    numbers["lstm_against"]["rnn"] |= change
    assert on_prices.ranked(numbers) == {"rnn": "equal", "gru": "better"}
    assert on_prices.judge(numbers) == FAILS


def test_seeds_are_compared_in_pairs_and_each_with_the_one_ewma():
    low, middle, high = (np.full(5, value) for value in (1.0, 2.0, 3.0))
    assert on_prices._better([low, low], [middle, high]) == 1.0
    assert on_prices._better([low, high], [middle, middle]) == 0.5
    assert on_prices._better([low, high, low], [middle]) == pytest.approx(2 / 3)
