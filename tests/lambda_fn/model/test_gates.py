"""The six equations, against steps worked by hand and against the graph that is served."""

import math
import random

import numpy as np
import pytest

from lambda_fn.model import gates
from tests.lambda_fn.conftest import MODELS


@pytest.fixture(scope="module")
def weights():
    return gates.load_weights(MODELS / "weights.npz")


@pytest.fixture(scope="module")
def windows():
    """Walks whose steps are heavy-tailed: Student's t with four degrees of freedom."""
    generator = random.Random(5)
    steps = [[generator.gauss(0, 0.02) / generator.gammavariate(2, 0.5) ** 0.5 for _ in range(60)] for _ in range(200)]
    return 30 * np.exp(np.cumsum(steps, axis=1))


def one_unit(cell, **arrays):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    stored = {f"lstm.{name}_l0": np.array(arrays[name], dtype=float) for name in names}
    return gates.Weights(cell, "guide", "none", 2, 1, (0.5,), 1, stored)


def sigma(z):
    return 1 / (1 + math.exp(-z))


def test_two_days_of_one_lstm_unit_are_as_worked_by_hand():
    weights = one_unit(
        "lstm",
        weight_ih=[[0.5], [-0.3], [0.8], [0.2]],  # i, f, g, o
        weight_hh=[[0.1], [0.4], [-0.6], [0.7]],
        bias_ih=[0.05, 1.0, -0.1, 0.0],
        bias_hh=[0.0, 0.5, 0.1, -0.2],
    )
    trace = gates.trace(weights, np.array([[1.5, -2.0]]))[0]
    h = c = 0.0
    for day, x in enumerate((1.5, -2.0)):
        i, f = sigma(0.5 * x + 0.1 * h + 0.05), sigma(-0.3 * x + 0.4 * h + 1.5)
        g, o = math.tanh(0.8 * x - 0.6 * h), sigma(0.2 * x + 0.7 * h - 0.2)
        c = f * c + i * g
        h = o * math.tanh(c)
        named = {"input": i, "forget": f, "candidate": g, "output": o, "cell": c, "hidden": h}
        for name, value in named.items():
            assert trace[name][day, 0, 0] == pytest.approx(value, rel=1e-14), name


def test_two_days_of_one_gru_unit_are_as_worked_by_hand():
    weights = one_unit(
        "gru",
        weight_ih=[[0.5], [-0.3], [0.8]],  # r, z, n
        weight_hh=[[0.1], [0.4], [-0.6]],
        bias_ih=[0.05, 1.0, -0.1],
        bias_hh=[0.2, 0.5, 0.3],
    )
    trace = gates.trace(weights, np.array([[1.5, -2.0]]))[0]
    h = 0.0
    for day, x in enumerate((1.5, -2.0)):
        r, z = sigma(0.5 * x + 0.1 * h + 0.25), sigma(-0.3 * x + 0.4 * h + 1.5)
        n = math.tanh(0.8 * x - 0.1 + r * (-0.6 * h + 0.3))
        h = (1 - z) * n + z * h
        assert trace["hidden"][day, 0, 0] == pytest.approx(h, rel=1e-14)


def test_two_days_of_one_simple_unit_are_as_worked_by_hand():
    weights = one_unit("rnn", weight_ih=[[0.5]], weight_hh=[[0.8]], bias_ih=[0.1], bias_hh=[-0.3])
    hidden = gates.trace(weights, np.array([[1.5, -2.0]]))[0]["hidden"][:, 0, 0]
    first = math.tanh(0.75 - 0.2)
    assert hidden == pytest.approx([first, math.tanh(-1.0 + 0.8 * first - 0.2)], rel=1e-14)


def test_the_equations_give_the_answers_of_the_served_graph(weights, windows, forecaster):
    assert np.allclose(gates.forecast(weights, windows), forecaster.quantiles(windows), rtol=1e-6, atol=0)


def test_a_trace_holds_every_day_of_every_unit_and_starts_from_nothing(weights, windows):
    x, _ = gates.encode(weights, windows)
    layers = gates.trace(weights, x)
    assert len(layers) == weights.layers
    for layer in layers:
        assert {name: values.shape for name, values in layer.items()} == dict.fromkeys(
            ("forget", "input", "candidate", "output", "cell", "hidden"), (60, 200, 50)
        )
        born = layer["input"][0] * layer["candidate"][0]  # c_1 = f · 0 + i · g
        assert np.array_equal(layer["cell"][0], born)


def test_head_and_price_are_each_others_inverse(weights, windows):
    x, scale = gates.encode(weights, windows)
    head = gates.head(weights, gates.trace(weights, x)[-1]["hidden"][-1], x, scale)
    prices = gates.decode(weights, head, scale, windows)
    assert np.allclose(gates.undecode(weights, prices, scale, windows), head, rtol=1e-9, atol=1e-11)


def test_no_pickle_is_read(tmp_path):
    np.savez(tmp_path / "weights.npz", cell=np.array([object()]))
    with pytest.raises(ValueError, match="allow_pickle"):
        gates.load_weights(tmp_path / "weights.npz")
