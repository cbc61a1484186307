"""The gradient's way back: the closed form of a linear cell, and finite differences."""

import numpy as np
import pytest
import torch
from torch import nn

from export.lab import gradient_reach
from export.lab.cells import fresh


@pytest.mark.parametrize("weight", [0.8, 0.5, 1.0])
def test_in_a_linear_rnn_the_gradient_of_k_days_ago_is_the_weight_to_the_power_of_k(weight):
    """relu of positive numbers is linear: h_t = 0.3 x_t + w h_{t-1}."""
    cell = nn.RNN(1, 1, nonlinearity="relu", batch_first=True)
    with torch.no_grad():
        for parameter, value in zip(cell.parameters(), (0.3, weight, 0.0, 0.0), strict=True):
            parameter.fill_(value)
    norms = gradient_reach.by_lag(cell, torch.rand(4, 110, 1) + 0.1, 100)
    np.testing.assert_allclose(norms, 0.3 * weight ** np.arange(101), rtol=1e-5)
    if weight == 0.8:
        assert norms[100] / norms[0] == pytest.approx(2.04e-10, rel=1e-2)  # the guide's number


def test_the_norm_is_that_of_finite_differences():
    cell = fresh("lstm", 3, 2, seed=0).double()
    x = torch.randn(1, 12, 1, dtype=torch.float64)
    norms = gradient_reach.by_lag(cell, x, 5)
    for lag in (0, 3, 5):
        nudged = x.clone()
        nudged[0, 11 - lag, 0] += 1e-6
        with torch.no_grad():
            difference = (cell(nudged)[0][0, -1] - cell(x)[0][0, -1]) / 1e-6
        assert norms[lag] == pytest.approx(difference.norm().item(), rel=1e-4)
