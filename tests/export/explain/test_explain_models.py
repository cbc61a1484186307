"""Explanations of other networks than the served one, against PyTorch: its states day by day, its own gates."""

from __future__ import annotations

import json
import math

import msgspec
import numpy as np
import pytest
import torch

from export.training.config import Config
from lambda_fn.api.explain_response import explain_forecast
from lambda_fn.api.request_body import ExplainRequest
from lambda_fn.model import attribution
from lambda_fn.model.forecaster import Forecaster, Inference
from tests.export.conftest import SMALL, stirred

pytestmark = pytest.mark.slow

PRICES = 30 * np.exp(np.cumsum(np.random.default_rng(6).normal(0, 0.02, 80)))
CASES = {
    "lstm": SMALL,
    "gru": Config(hidden_size=6, cell="gru", layers=1),
    "rnn": Config(hidden_size=5, cell="rnn", layers=3, scaling="returns"),
    "the guide's": Config(hidden_size=7, head="guide", horizon=1, quantiles=(0.5,), scaling="minmax:10,50", loss="mse"),
    "raw prices": Config(hidden_size=6, scaling="none"),
    "another window": Config(hidden_size=6, window=20, horizon=2, quantiles=(0.05, 0.5, 0.95), scaling="standard:30,4"),
}


@pytest.fixture(scope="module", params=CASES)
def one(request, exported):
    """A network, its forecaster, its weights and the window it is asked about."""
    config = CASES[request.param]
    folder = exported(config)
    forecaster = Forecaster(folder)
    return stirred(config), forecaster, attribution.served_weights(folder, forecaster), PRICES[-config.window :]


def states(network, x):
    """Hidden and cell states of PyTorch's own layers after each day: lists of (layers, units)."""
    hidden, cells, state = [], [], None
    with torch.no_grad():
        for day in range(x.shape[1]):
            _, state = network.lstm(x[:, day : day + 1], state)
            h, c = state if isinstance(state, tuple) else (state, None)
            hidden.append(h[:, 0].numpy())
            cells.append(None if c is None else c[:, 0].numpy())
    return hidden, cells


def test_the_states_of_each_day_are_those_that_pytorch_passes_on(one):
    network, forecaster, weights, prices = one
    found = attribution.attribute_forecast(forecaster, weights, prices)
    with torch.no_grad():
        x, _ = network.scaling.encode(torch.from_numpy(prices[None]))
    x = x.float().unsqueeze(-1)
    assert np.array_equal(found.inputs, x[0, :, 0].double().numpy())
    hidden, cells = states(network, x)
    for layer, values in enumerate(found.layers):
        for day in range(len(prices)):
            assert np.allclose(values["hidden"][day], hidden[day][layer], rtol=0, atol=2e-6)
            if "cell" in values:
                assert np.allclose(values["cell"][day], cells[day][layer], rtol=2e-6, atol=2e-6)


def test_the_gate_that_keeps_is_pytorchs(one):
    """From the state before and the day's input, by torch's functions on the module's own parameters."""
    network, forecaster, weights, prices = one
    found = attribution.attribute_forecast(forecaster, weights, prices)
    if weights.cell == "rnn":
        assert found.kept == [None] * 3  # it has none
        return
    place, gate = (1, "forget") if weights.cell == "lstm" else (1, "update")  # i f g o; r z n
    inputs = torch.from_numpy(found.inputs[:, None])
    for number, layer in enumerate(found.layers):
        part = slice(place * weights.hidden_size, (place + 1) * weights.hidden_size)
        w_ih, w_hh, b_ih, b_hh = (
            getattr(network.lstm, f"{name}_l{number}").detach().double()[part]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        before = torch.from_numpy(np.concatenate([np.zeros((1, weights.hidden_size)), layer["hidden"][:-1]]))
        expected = torch.sigmoid(inputs @ w_ih.T + b_ih + before @ w_hh.T + b_hh)
        assert np.allclose(layer[gate], expected.numpy(), rtol=0, atol=1e-12)
        inputs = torch.from_numpy(layer["hidden"])


def test_the_contributions_are_those_of_paths_that_end_in_the_real_last_price(one):
    network, forecaster, weights, prices = one
    found = attribution.attribute_forecast(forecaster, weights, prices)
    window, medians, widths = len(prices), [], []
    for known in range(window):
        path = [float(price) * float(prices[-1] / prices[known]) for price in prices[: known + 1]]
        path += [path[-1]] * (window - len(path))
        with torch.no_grad():
            quantiles = network(torch.tensor([path], dtype=torch.float64))[1][0, 0].numpy()
        medians.append(quantiles[len(quantiles) // 2])
        low, high = forecaster.intervals[found.level] if found.level else (0, 0)
        widths.append(quantiles[high] - quantiles[low])
    near = 5e-6 * abs(prices[-1])
    assert np.allclose(np.cumsum(found.median) + found.baseline[0], medians, rtol=0, atol=near)
    assert np.allclose(np.cumsum(found.width) + found.baseline[1], widths, rtol=0, atol=near)
    assert abs(math.fsum(found.median) - (found.forecast[0] - found.baseline[0])) <= 1e-12 * prices[-1]
    assert found.difference <= found.tolerance


def test_the_answer_holds_what_the_cell_has_and_no_more(one):
    _, forecaster, weights, _ = one
    request = ExplainRequest(PRICES.tolist(), detail="full")
    body = json.loads(msgspec.json.encode(explain_forecast(Inference(forecaster), weights, request)))
    config = forecaster.manifest
    assert [body[name] for name in ("cell", "layers", "units", "window")] == [
        *(config.cell, config.layers, config.hidden_size, config.window),
    ]
    names = {
        "lstm": ["forget", "input", "output", "candidate", "cell", "hidden", "closed", "kept"],
        "gru": ["reset", "update", "candidate", "hidden", "closed", "kept"],
        "rnn": ["hidden"],
    }[config.cell]
    assert len(body["days"]) == config.window
    assert all([*layer] == names for day in body["days"] for layer in day["layers"])
    assert ("reach" in body) is (config.cell != "rnn")
    for gates in body["gates"]:
        assert [*gates] == ["order", *(name for name in names if name not in ("closed", "kept"))]
    assert body["level"] == {1: None, 3: 90, 7: 80}[len(config.quantiles)]
    has_width = body["level"] is not None
    assert all(("width" in part) is has_width for part in (body["baseline"], body["forecast"], *body["days"]))
    assert {note["gate"] for note in body["notes"] if "gate" in note} <= {"forget", "update", "input"} & {*names}
