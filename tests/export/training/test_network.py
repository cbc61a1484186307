"""The network: the guide's sizes, ordered quantiles, and the two laws."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from export.conversion.parity_windows import adversarial, random_walks
from export.training.config import Config, make_config
from export.training.network import Network, scaled_targets
from export.training.train import loss_of
from tests.export.conftest import SMALL, stirred

PRICE = st.floats(1e-9, 1e12)


def test_the_guide_head_has_exactly_the_guides_parameters():
    network = Network(make_config({"head": "guide"}, "test"))
    sizes = {name: tuple(tensor.shape) for name, tensor in network.named_parameters()}
    assert network.parameter_count() == 31_051
    assert sizes["linear.weight"] == (1, 50)
    assert {name.split(".")[0] for name in sizes} == {"lstm", "linear"}


def test_the_guide_head_is_linear_on_the_last_hidden_state_read_as_scaled_log_return():
    network = stirred(make_config({"head": "guide"}, "test"))
    prices = torch.from_numpy(random_walks(5, 60, seed=0))
    inputs, scale = network.scaling.encode(prices)
    output, _ = network.lstm(inputs.float().unsqueeze(-1))
    expected = prices[:, -1] * torch.exp(network.linear(output[:, -1]).double()[:, 0] * scale[:, 0])
    torch.testing.assert_close(network(prices)[0], expected, rtol=0, atol=0)


def test_scaling_is_the_windows_own_ewma_of_squared_log_returns():
    prices = random_walks(3, 60, seed=1)
    _, scale = Network(SMALL).scaling.encode(torch.from_numpy(prices))
    for row, found in zip(prices, scale[:, 0].tolist(), strict=True):
        variance, weight = 0.0, 0.0
        for previous, price in itertools.pairwise(row):  # the recursion of RiskMetrics, normalised
            variance, weight = 0.94 * variance + np.log(price / previous) ** 2, 0.94 * weight + 1
        assert found == pytest.approx(np.sqrt(variance / weight), rel=1e-12)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(arrays(np.float64, (2, 60), elements=PRICE))
def test_any_prices_give_finite_positive_rising_quantiles(prices):
    network = stirred(SMALL)
    with torch.no_grad():
        predicted, quantiles = network(torch.from_numpy(prices))
    assert torch.isfinite(quantiles).all()
    assert (quantiles > 0).all()
    assert (quantiles.diff(dim=-1) >= 0).all()
    assert torch.equal(predicted, quantiles[:, 0, 3])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-6, 1e6))
def test_multiplying_prices_multiplies_every_answer(seed, factor):
    network = stirred(SMALL)
    prices = torch.from_numpy(random_walks(4, 60, seed))
    with torch.no_grad():
        before, after = network(prices)[1], network(prices * factor)[1]
    torch.testing.assert_close(after, before * factor, rtol=1e-9, atol=0)


def test_a_window_is_answered_alike_in_any_company():
    network = stirred(SMALL)
    prices = torch.from_numpy(random_walks(64, 60, seed=4))
    with torch.no_grad():
        together = network(prices)[1]
        turned = network(prices.flip(0))[1].flip(0)
        alone = torch.cat([network(row[None])[1] for row in prices])
    assert torch.equal(together, turned)
    torch.testing.assert_close(alone, together, rtol=1e-7, atol=0)


def test_before_training_the_quantile_head_says_the_base_quantiles_times_ewma():
    network = Network(SMALL)
    targets = torch.randn(5000, SMALL.horizon) * torch.arange(1, 6).sqrt()
    network.start_from(targets)
    prices = torch.from_numpy(random_walks(8, 60, seed=5))
    _, scale = network.scaling.encode(prices)
    wanted = np.quantile(targets.numpy(), SMALL.quantiles, axis=0).T  # (horizon, quantiles)
    with torch.no_grad():
        found = (torch.log(network(prices)[1] / prices[:, -1:, None]) / scale[:, :, None]).numpy()
    np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), atol=2e-3)


def test_a_window_without_movement_gets_the_scale_floor():
    _, scale = Network(SMALL).scaling.encode(torch.from_numpy(adversarial(60)["constant"]))
    assert scale.item() == 1e-4


@pytest.mark.slow
def test_it_runs_where_its_tensors_are():
    """On a device that is not the CPU nothing may be mixed with CPU tensors: `meta` computes shapes and checks that."""
    network = Network(SMALL).to("meta")
    closes = torch.empty(500, dtype=torch.float64, device="meta")
    assert loss_of(network, closes, torch.arange(9, device="meta")).device.type == "meta"


def test_targets_are_cumulative_log_returns_over_the_windows_own_scale():
    network = Network(Config(horizon=2))
    prices = torch.from_numpy(random_walks(1, 60, seed=6))
    future = prices[:, -1:] * torch.tensor([[1.1, 1.21]], dtype=torch.float64)
    _, scale = network.scaling.encode(prices)
    expected = np.log([1.1, 1.21]) / scale.item()
    np.testing.assert_allclose(scaled_targets(prices, future, scale).numpy()[0], expected, rtol=1e-6)
