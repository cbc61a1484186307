"""The volatility features: worked by hand, the same in NumPy, bounded, and read by the widths alone."""

import numpy as np
import pytest
import torch

from export.conversion.parity_windows import adversarial, random_walks
from export.training.config import make_config
from export.training.network import FEATURE_LIMIT, FEATURES, Network, VolatilityFeatures
from lambda_fn.model import gates
from tests.export.conftest import SMALL


def weighted(values, decay):
    """A mean in which each day counts `decay` times as much as the one after it; day 0 has no return."""
    total = weights = 0.0
    for age, value in enumerate(reversed(values[1:])):
        total, weights = total + decay**age * value, weights + decay**age
    return total / weights


def test_features_are_as_worked_by_hand():
    x = [0.0, 1.5, -0.5, -2.0, 0.25]
    squares, sizes = [value**2 for value in x], [abs(value) for value in x]
    falls = [min(value, 0) ** 2 for value in x]
    wanted = [
        np.log(weighted(squares, 1.0)),
        np.log(weighted(sizes, 0.87)),
        np.log(weighted(sizes, 0.94)),
        np.log(0.02 / 0.01),
        weighted(falls, 0.87) - 0.5,
        weighted(falls, 0.97) - 0.5,
        0.125,
    ]
    found = VolatilityFeatures(5)(torch.tensor([x]), torch.tensor([[0.02]]).double())
    np.testing.assert_allclose(found[0].numpy(), wanted, rtol=1e-5)
    assert found.shape == (1, FEATURES)


@pytest.mark.parametrize("prices", [random_walks(64, 60, seed=3), np.concatenate(list(adversarial(60).values()))])
def test_numpy_says_the_same(prices):
    network = Network(SMALL)
    inputs, scale = network.scaling.encode(torch.from_numpy(prices))
    found = network.features(inputs.float(), scale).numpy()
    assert np.isfinite(found).all()
    assert (np.abs(found) <= FEATURE_LIMIT).all()
    exact = gates.volatility_features(inputs.float().double().numpy(), scale.numpy())
    np.testing.assert_allclose(found, exact, atol=2e-6)


def test_the_features_know_no_price_level():
    network = Network(SMALL)
    prices = torch.from_numpy(random_walks(16, 60, seed=4))
    one, other = (network.features(*encoded(network, prices * factor)) for factor in (1.0, 1e4))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_they_move_the_widths_below_and_above_and_not_the_median():
    network = Network(SMALL)
    network.start_from(torch.randn(500, SMALL.horizon))
    prices = torch.from_numpy(random_walks(4, 60, seed=5))
    with torch.no_grad():
        before = torch.log(network(prices)[1] / prices[:, -1:, None])
        network.volatility.weight[0] = 0.3  # step 1, below
        after = torch.log(network(prices)[1] / prices[:, -1:, None])
        factor = torch.exp(0.3 * network.features(*encoded(network, prices)).sum(dim=1)).double()
    middle = SMALL.median_index
    torch.testing.assert_close(after[:, 1:], before[:, 1:], rtol=0, atol=0)
    torch.testing.assert_close(after[:, 0, middle:], before[:, 0, middle:], rtol=0, atol=0)
    gap, wider = (one[:, 0, middle] - one[:, 0, 0] for one in (before, after))
    torch.testing.assert_close(wider, gap * factor, rtol=1e-4, atol=0)


@pytest.mark.parametrize("settings", [{"head": "guide"}, {"scaling": "returns"}])
def test_the_guides_head_and_plain_returns_read_none(settings):
    names = {name.partition(".")[0] for name, _ in Network(make_config(settings, "test")).named_parameters()}
    assert "volatility" not in names


def encoded(network, prices):
    inputs, scale = network.scaling.encode(prices)
    return inputs.float(), scale
