"""Retention over 50 days: products by hand, of windows of one series each."""

import numpy as np
import pytest
import torch

from export.lab import memory_retention


def test_constant_gates_keep_their_powers_and_halve_when_these_do():
    forget = torch.tensor([0.9, 0.99]).expand(2, 60, 2)
    summary = memory_retention.of_gates(forget, 50)
    assert summary["gate"] == pytest.approx(0.945)
    np.testing.assert_allclose(summary["kept"], [(0.9**lag + 0.99**lag) / 2 for lag in range(1, 51)], rtol=1e-4)
    assert summary["best"] == pytest.approx(0.99**50, rel=1e-4)
    assert summary["half_life"] == 17  # (0.9^17 + 0.99^17) / 2 = 0.505, and of 18 days 0.492


def test_windows_are_of_one_series_each(prices):
    windows = memory_retention.windows_of(prices, 60, 20)
    assert windows.shape == (20, 60)
    for window in windows.numpy():
        assert any(
            np.array_equal(window, cut)
            for name in prices.ids
            for cut in np.lib.stride_tricks.sliding_window_view(prices.series(name)[1], 60)
        )
