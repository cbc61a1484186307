"""Reading of a cell: its forget gates are those of the six equations, and what they keep is their product."""

from pathlib import Path

import numpy as np
import pytest
import torch

from export.lab.cells import forget_gates, fresh, kept_after
from export.training.checkpoint import read_checkpoint
from lambda_fn.model import gates

MODELS = Path(__file__).parents[3] / "models"


def test_the_forget_gates_are_those_of_the_six_equations_in_numpy():
    network, _ = read_checkpoint(MODELS / "model_lstm.pth")
    x = np.random.default_rng(0).standard_normal((5, 60))
    layers = gates.trace(gates.load_weights(MODELS / "weights.npz"), x)
    forget = forget_gates(network.lstm, torch.from_numpy(x).float().unsqueeze(-1))
    assert len(forget) == len(layers) == 2
    for mine, theirs in zip(forget, layers, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs["forget"].transpose(1, 0, 2), atol=1e-6)


def test_what_is_kept_is_the_product_of_the_last_gates():
    forget = torch.tensor([[[0.1, 1.0], [0.5, 0.9], [0.25, 0.8]]])  # (1, 3 days, 2 units)
    assert kept_after(forget, 2)[0].tolist() == pytest.approx([0.125, 0.72])
    assert kept_after(forget, 3)[0].tolist() == pytest.approx([0.0125, 0.72])


@pytest.mark.parametrize("bias", [0.0, 1.0, 2.0])
def test_a_gate_that_hears_its_bias_alone_keeps_its_sigmoid_to_the_power_of_the_days(bias):
    lstm = fresh("lstm", 4, 1, seed=0, forget_bias=bias)
    with torch.no_grad():
        lstm.weight_ih_l0.zero_()
        lstm.weight_hh_l0.zero_()
    [forget] = forget_gates(lstm, torch.randn(3, 60, 1))
    np.testing.assert_allclose(kept_after(forget, 50).numpy(), (1 / (1 + np.exp(-bias))) ** 50, rtol=1e-4)


def test_a_seed_makes_the_same_cell_again_and_another_seed_another():
    one, same, other = (torch.cat([w.flatten() for w in fresh("gru", 5, 2, seed).parameters()]) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
