"""An explanation's numbers: each against a way of its own to find it, and none at all when the equations are off."""

import dataclasses
import itertools
import json
import math
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_fn.api.handler import forecaster, handler
from lambda_fn.model import attribution, gates
from lambda_fn.model.attribution import served_weights
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.manifest import Disagreement
from tests.lambda_fn.conftest import MODELS, Context, event, walks

READS = st.lists(st.floats(-0.15, 0.15), min_size=60, max_size=60).map(lambda r: 40 * np.exp(np.cumsum(r)))
examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.large_base_example])


@pytest.fixture(scope="module")
def weights():
    return gates.load_weights(MODELS / "weights.npz")


@pytest.fixture(scope="module")
def prices():
    return walks(1, seed=4)[0]


@pytest.fixture(scope="module")
def attributed(forecaster, weights, prices):
    return attribution.attribute_forecast(forecaster, weights, prices)


def sigma(z):
    return 1 / (1 + math.exp(-z))


def by_hand(arrays, inputs):
    """One LSTM layer in plain Python: inputs, a list of floats a day → [(f, i, o, c, h) of each unit] a day."""
    w, u, b, d = (arrays[name].tolist() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    size = len(u) // 4
    h, c, days = [0.0] * size, [0.0] * size, []
    for x in inputs:
        z = [
            sum(p * q for p, q in zip(w[row], x, strict=True))
            + sum(p * q for p, q in zip(u[row], h, strict=True))
            + b[row]
            + d[row]
            for row in range(4 * size)
        ]
        i, f, o = ([sigma(one) for one in z[k * size : (k + 1) * size]] for k in (0, 1, 3))
        g = [math.tanh(one) for one in z[2 * size : 3 * size]]
        c = [f[k] * c[k] + i[k] * g[k] for k in range(size)]
        h = [o[k] * math.tanh(c[k]) for k in range(size)]
        days.append({"forget": f, "input": i, "output": o, "candidate": g, "cell": c, "hidden": h})
    return days


def test_every_gate_of_every_unit_and_day_is_as_plain_python_works_it_out(attributed, weights):
    inputs = [[x] for x in attributed.inputs.tolist()]
    for number, layer in enumerate(attributed.layers):
        arrays = {name: weights.arrays[f"lstm.{name}_l{number}"] for name in ("weight_ih", "weight_hh")}
        arrays |= {name: weights.arrays[f"lstm.{name}_l{number}"] for name in ("bias_ih", "bias_hh")}
        days = by_hand(arrays, inputs)
        for name, values in layer.items():
            assert np.allclose(values, [day[name] for day in days], rtol=0, atol=1e-13), (number, name)
        inputs = [day["hidden"] for day in days]


def test_what_the_network_read_is_the_days_return_in_the_windows_volatility(attributed, prices):
    back = [0.0] + [math.log(new / old) for old, new in itertools.pairwise(prices)]
    share = [0.0] + [0.94 ** (59 - day) for day in range(1, 60)]
    scale = math.sqrt(sum(s * r * r for s, r in zip(share, back, strict=True)) / sum(share))
    assert np.allclose(attributed.inputs, [r / scale for r in back], rtol=1e-6, atol=1e-7)
    assert np.allclose(attributed.returns, [math.exp(r) - 1 for r in back], rtol=0, atol=1e-14)


def test_what_is_kept_of_a_day_is_the_product_of_the_forget_gates_after_it(attributed):
    for layer, kept in zip(attributed.layers, attributed.kept, strict=True):
        for day in (0, 17, 41, 57, 58, 59):
            for unit in (0, 23, 49):
                product = math.prod(float(layer["forget"][later, unit]) for later in range(day + 1, 60))
                assert kept[day, unit] == pytest.approx(product, rel=1e-12)


def test_the_contributions_are_what_predict_says_to_each_window_revealed_one_by_one(attributed, prices):
    last, asked = float(prices[-1]), []
    for known in range(61):  # none known, then one day more each
        day = max(0, known - 1)
        window = [float(price) for price in prices[:day]] + [float(prices[day])] * (60 - day)
        body = json.loads(handler(event({"prices": window}), Context())["body"])["steps"][0]
        low, high = body["intervals"]["80"]
        asked.append((body["median"] * last / window[-1], (high - low) * last / window[-1]))
    medians, widths = (np.array(column) for column in zip(*asked, strict=True))
    assert np.allclose(attributed.median, np.diff(medians), rtol=0, atol=1e-7 * last)
    assert np.allclose(attributed.width, np.diff(widths), rtol=0, atol=1e-7 * last)
    assert attributed.baseline == pytest.approx((medians[0], widths[0]), rel=1e-9)
    assert attributed.forecast == (medians[-1], widths[-1])  # to the bit
    assert (attributed.level, attributed.width[0], attributed.median[0]) == (80, 0, 0)


@pytest.mark.slow
@examples
@given(READS)
def test_the_contributions_add_up_to_forecast_minus_baseline(prices):
    attributed = attribution.attribute_forecast(forecaster, served_weights(MODELS, forecaster), prices)
    for parts, start, end in zip(
        (attributed.median, attributed.width), attributed.baseline, attributed.forecast, strict=True
    ):
        assert abs(math.fsum(parts) - (end - start)) <= 1e-12 * max(abs(start), abs(end))


@pytest.mark.slow
@examples
@given(READS, st.floats(1e-6, 1e6))
def test_another_currency_multiplies_prices_and_leaves_every_gate(prices, factor):
    weights = served_weights(MODELS, forecaster)
    one, other = (attribution.attribute_forecast(forecaster, weights, closes) for closes in (prices, prices * factor))
    for name in ("median", "width", "baseline", "forecast", "quantiles", "prices"):
        mine, scaled = np.array(getattr(one, name)) * factor, np.array(getattr(other, name))
        assert np.allclose(scaled, mine, rtol=0, atol=2e-7 * float(prices[-1]) * factor), name
    for mine, scaled in zip(one.layers, other.layers, strict=True):
        for name in mine:  # a return's last bit may round its float32 the other way
            assert np.allclose(mine[name], scaled[name], rtol=0, atol=1e-6), name


@pytest.mark.parametrize("factor", [2.0**-20, 0.25, 1024.0])
def test_where_the_factor_rounds_nothing_the_scale_law_holds_to_the_bit(forecaster, weights, prices, factor):
    one, other = (attribution.attribute_forecast(forecaster, weights, closes) for closes in (prices, prices * factor))
    for name in ("median", "width", "baseline", "forecast", "quantiles"):
        assert np.array_equal(np.array(getattr(one, name)) * factor, getattr(other, name)), name
    for mine, scaled in zip(one.layers, other.layers, strict=True):
        assert all(np.array_equal(mine[name], scaled[name]) for name in mine)


@pytest.mark.slow
def test_over_a_thousand_windows_equations_and_graph_agree_far_within_the_tolerance(forecaster, weights):
    closes = walks(1000, seed=9)
    _, scale = gates.encode(weights, closes)
    sides = (gates.forecast(weights, closes), forecaster.quantiles(closes))
    heads = [gates.undecode(weights, side, scale, closes) for side in sides]
    assert attribution.head_difference(*heads) < 0.2 * attribution.tolerance_for(weights)


def test_the_tolerance_is_the_one_that_the_models_parity_was_certified_with(weights):
    certified = json.loads((MODELS / "parity.json").read_text())["tolerance"]["head"]
    assert attribution.tolerance_for(weights) == certified


@pytest.mark.parametrize(
    "closes",
    [[40.0] * 60, [1e-9] * 30 + [1e12] * 30, [1e12, 1e-9] * 30, [1e-9] * 60, [1e12] * 59 + [1e-9]],
    ids=["constant", "a leap", "up and down", "the lowest", "a fall to nothing"],
)
def test_any_window_that_predict_takes_is_explained_in_finite_numbers(forecaster, weights, closes):
    attributed = attribution.attribute_forecast(forecaster, weights, np.array(closes))
    for name in ("returns", "inputs", "median", "width", "baseline", "forecast"):
        assert np.isfinite(getattr(attributed, name)).all(), name


def test_units_that_move_together_stand_side_by_side(forecaster, weights):
    for prices in walks(20, seed=2):
        attributed = attribution.attribute_forecast(forecaster, weights, prices)
        for layer, order in zip(attributed.layers, attributed.order, strict=True):
            assert sorted(order) == list(range(50))
            assert _likeness(layer["hidden"][:, order]) > _likeness(layer["hidden"]) + 0.2


def _likeness(hidden):
    """The mean correlation of neighbouring columns."""
    moved = hidden - hidden.mean(axis=0)
    moved /= np.sqrt((moved**2).sum(axis=0))
    return float((moved[:, 1:] * moved[:, :-1]).sum(axis=0).mean())


def tampered(weights, **changes):
    return dataclasses.replace(weights, **changes)


@pytest.mark.parametrize("name", ["linear.weight", "linear.bias", "base_gaps", "volatility.weight"])
def test_weights_that_were_tampered_with_are_refused_not_explained(forecaster, weights, prices, name):
    changed = weights.arrays[name] + 0.001
    with pytest.raises(Disagreement, match="differ by .* more than 1.2e-05"):
        attribution.attribute_forecast(forecaster, tampered(weights, arrays={**weights.arrays, name: changed}), prices)


def test_weights_of_the_cells_are_checked_by_what_becomes_of_the_forecast(forecaster, weights, prices):
    name = "lstm.weight_hh_l1"
    with pytest.raises(Disagreement, match="differ by"):
        attribution.attribute_forecast(
            forecaster, tampered(weights, arrays={**weights.arrays, name: -weights.arrays[name]}), prices
        )
    nothing = {**weights.arrays, name: weights.arrays[name] * math.nan}
    with pytest.raises(Disagreement, match="differ by nan"):
        attribution.attribute_forecast(forecaster, tampered(weights, arrays=nothing), prices)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cell": "gru"}, "has cell gru, manifest.json says lstm"),
        ({"window": 30}, "has window 30, manifest.json says 60"),
        ({"scaling": "returns"}, "has scaling returns, manifest.json says ewma"),
        ({"quantiles": (0.5,)}, "other quantiles than manifest.json"),
    ],
)
def test_weights_of_another_network_are_refused_by_name(forecaster, weights, prices, changes, words):
    with pytest.raises(Disagreement, match=words):
        attribution.attribute_forecast(forecaster, tampered(weights, **changes), prices)


def test_a_file_that_was_changed_after_the_start_is_refused(tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(MODELS, folder)
    forecaster = Forecaster(folder)
    assert served_weights(folder, forecaster).cell == "lstm"
    served_weights.cache_clear()
    with (folder / "weights.npz").open("ab") as file:
        file.write(b"\x00")
    with pytest.raises(Disagreement, match="no longer the file that manifest.json names"):
        served_weights(folder, forecaster)
