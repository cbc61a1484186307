"""The three cells on the same prices: the sentence is the measurement's, whatever it is."""

import numpy as np
import pytest

from export.lab import price_forecasts as on_prices
from export.lab.experiment import FAILS, HOLDS, OPEN
from export.lab.language import ENGLISH
from tests.export.lab.numbers import priced


@pytest.mark.parametrize(
    ("numbers", "verdict", "words"),
    [
        (priced(), FAILS, "on these daily prices the three cells do not differ significantly."),
        (priced("better", "better"), HOLDS, "it is significantly better than the RNN and the GRU."),
        (priced("worse", "worse"), FAILS, "it is significantly worse than the RNN and the GRU."),
        (priced("better", "worse"), FAILS, "significantly better than the RNN and significantly worse than the GRU."),
        (priced("better", "equal"), FAILS, "significantly better than the RNN and not to be told apart from the GRU."),
        (priced("tiny", "equal"), FAILS, "different from the RNN by less than a thousandth"),
        (priced("unknown", "equal"), OPEN, "288 days are too few to tell chance from skill."),
        (priced(ewma="better"), FAILS, "Against EWMA it is 0.9700 (0.9600 to 0.9800), better."),
        (priced(ewma="worse"), FAILS, "Against EWMA it is 1.0300 (1.0200 to 1.0400), worse."),
    ],
)
def test_the_sentence_follows_the_measurement(numbers, verdict, words):
    assert on_prices.judge(numbers) == verdict
    assert words in on_prices.tell(numbers, ENGLISH).sentence


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
