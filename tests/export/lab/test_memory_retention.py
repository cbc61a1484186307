"""What is kept over 50 days: products by hand, and a sentence for each outcome."""

import numpy as np
import pytest
import torch

from export.lab import memory_retention
from export.lab.experiment import FAILS, HOLDS, IN_PART
from export.lab.language import ENGLISH
from tests.export.lab.numbers import kepts


def test_constant_gates_keep_their_powers_and_halve_when_these_do():
    forget = torch.tensor([0.9, 0.99]).expand(2, 60, 2)
    found = memory_retention.of_gates(forget, 50)
    assert found["gate"] == pytest.approx(0.945)
    np.testing.assert_allclose(found["kept"], [(0.9**lag + 0.99**lag) / 2 for lag in range(1, 51)], rtol=1e-4)
    assert found["best"] == pytest.approx(0.99**50, rel=1e-4)
    assert found["half_life"] == 17  # (0.9^17 + 0.99^17) / 2 = 0.505, and of 18 days 0.492


def test_windows_are_of_one_series_each(prices):
    windows = memory_retention.windows_of(prices, 60, 20)
    assert windows.shape == (20, 60)
    for window in windows.numpy():
        assert any(
            np.array_equal(window, cut)
            for name in prices.ids
            for cut in np.lib.stride_tricks.sliding_window_view(prices.series(name)[1], 60)
        )


@pytest.mark.parametrize(
    ("numbers", "verdict", "words"),
    [
        (kepts(trained=(0.7, 1e-5)), HOLDS, "it does carry the past that far"),
        (kepts(), IN_PART, "one trained to remember keeps 99.0% in its best unit. Prices did not ask for it"),
        (kepts(recall_best=0.2), FAILS, "and one trained to remember keeps 20.0%"),
        (kepts(trained=()), IN_PART, "and of 2, 0.01."),
    ],
)
def test_the_sentence_follows_the_measurement(numbers, verdict, words):
    assert memory_retention.judge(numbers) == verdict
    assert words in memory_retention.tell(numbers, ENGLISH).sentence
