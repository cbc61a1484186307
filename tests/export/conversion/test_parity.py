"""The gate: it holds for a true export, and each way an export can be wrong makes it refuse."""

import copy
import dataclasses

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from export.conversion.artefacts import weights_npz
from export.conversion.onnx_graph import export_onnx
from export.conversion.parity import BATCH_SIZES, certify, differences, tolerance_of
from export.conversion.parity_windows import adversarial, probes
from export.errors import GateRefused
from export.training.config import make_config
from export.training.network import Network
from lambda_fn.model import gates
from tests.export.conftest import SMALL, stirred


@pytest.fixture(scope="module")
def network():
    return stirred(SMALL)


@pytest.fixture(scope="module")
def graph(model):
    return onnx.load(model / "model.onnx")


@pytest.fixture(scope="module")
def weights(model):
    return model / "weights.npz"


@pytest.fixture(scope="module")
def windows():
    return probes(SMALL, 40, seed=0)


def test_it_certifies_a_true_export_far_inside_the_tolerance(network, graph, weights, windows):
    certificate = certify(network, graph.SerializeToString(), weights, windows, None)
    assert {case["batch"] for case in certificate["cases"]} == set(BATCH_SIZES) == {1, 2, 7, 64, 1000}
    assert {case["windows"] for case in certificate["cases"]} == {*windows, "with a stirred Linear"}
    assert len({case["pair"] for case in certificate["cases"]}) == 3
    assert 0 < certificate["worst"]["head"] < tolerance_of(SMALL)[0] / 4


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_it_certifies_the_other_cells(cell, windows, exported):
    config = dataclasses.replace(SMALL, cell=cell)
    folder = exported(config)
    certify(stirred(config), (folder / "model.onnx").read_bytes(), folder / "weights.npz", windows, None)


def initializer(model, holds):
    """The first initializer that `holds` accepts, and its values."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        if holds(values):
            return tensor, values
    raise AssertionError("no such initializer")


def put(tensor, values):
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))


def swap_two_gates(model):
    tensor, values = initializer(model, lambda v: v.shape == (1, 24, 6))
    put(tensor, np.concatenate([values[:, 6:12], values[:, :6], values[:, 12:]], axis=1))


def perturb_one_weight(model):
    tensor, values = initializer(model, lambda v: v.shape == (1, 24, 6))
    values[0, 3, 3] += 1e-3
    put(tensor, values)


def drop_the_scale(model):
    """The head goes to exp() without its × scale."""
    node = next(n for n in model.graph.node if n.op_type == "Exp" and n.output[0].startswith("exp_"))
    product = next(n for n in model.graph.node if n.output[0] == node.input[0])
    assert product.op_type == "Mul"
    node.input[0] = product.input[0]


def reverse_time(model):
    for node in model.graph.node:
        if node.op_type == "LSTM":
            kept = [attribute for attribute in node.attribute if attribute.name != "direction"]
            del node.attribute[:]
            node.attribute.extend([*kept, onnx.helper.make_attribute("direction", "reverse")])


def freeze_the_batch(model):
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].Clear()
        value.type.tensor_type.shape.dim[0].dim_value = 1


def answer_the_first_window_only(model):
    """Every window of a batch gets the first one's answer."""
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name == "prices":
                node.input[position] = "first"
    shape = numpy_helper.from_array(np.array([0]), "zero_row")
    model.graph.initializer.append(shape)
    model.graph.node.insert(0, onnx.helper.make_node("Gather", ["prices", "zero_row"], ["one"], axis=0))
    model.graph.node.insert(1, onnx.helper.make_node("Shape", ["prices"], ["rows"]))
    model.graph.node.insert(2, onnx.helper.make_node("Expand", ["one", "rows"], ["first"]))


def wrong_median(model):
    tensor, _ = initializer(model, lambda v: v.dtype == np.int64 and v.shape == () and v == 3)
    put(tensor, np.array(4))


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutate",
    [
        swap_two_gates,
        perturb_one_weight,
        drop_the_scale,
        reverse_time,
        freeze_the_batch,
        answer_the_first_window_only,
        wrong_median,
    ],
)
def test_a_mutated_graph_is_refused(network, graph, weights, windows, mutate):
    broken = copy.deepcopy(graph)
    mutate(broken)
    with pytest.raises(GateRefused, match="parity: "):
        certify(network, broken.SerializeToString(), weights, windows, None)


def noise_in_every_recurrent_weight(model):
    generator = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim == 3 and values.shape[:2] == (1, 24):
            put(tensor, generator.normal(size=values.shape).astype(np.float32))


@pytest.mark.slow
def test_a_head_that_training_never_moved_hides_no_fault_before_it(windows, tmp_path):
    """Its Linear is zero, so that no answer reads the LSTM; the gate stirs it to see."""
    untrained = Network(SMALL).eval()
    (tmp_path / "weights.npz").write_bytes(weights_npz(untrained))
    graph = export_onnx(untrained)
    certify(untrained, graph.SerializeToString(), tmp_path / "weights.npz", windows, None)
    noise_in_every_recurrent_weight(graph)
    with pytest.raises(GateRefused, match="with a stirred Linear"):
        certify(untrained, graph.SerializeToString(), tmp_path / "weights.npz", windows, None)


def drop_the_input_limit(model):
    tensor, _ = initializer(model, lambda v: v.dtype == np.float64 and v.shape == () and v == 8.0)
    put(tensor, np.array(1e9))


def test_a_fault_that_only_hard_windows_show_is_found(network, graph, weights, windows):
    broken = copy.deepcopy(graph)
    drop_the_input_limit(broken)
    calm = {"calm": 100 * np.exp(np.cumsum(np.tile([0.01, -0.011], (3, 30)), axis=1))}
    certify(network, broken.SerializeToString(), weights, calm, None)
    with pytest.raises(GateRefused, match="adversarial|random walks"):
        certify(network, broken.SerializeToString(), weights, windows, None)


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_weights_that_can_not_be_read_are_refused(network, graph, windows, tmp_path, content):
    (tmp_path / "weights.npz").write_bytes(content)
    with pytest.raises(GateRefused, match="weights.npz can't be read"):
        certify(network, graph.SerializeToString(), tmp_path / "weights.npz", windows, None)


def test_weights_of_another_network_are_refused(network, graph, windows, tmp_path):
    (tmp_path / "weights.npz").write_bytes(weights_npz(stirred(SMALL, seed=1)))
    with pytest.raises(GateRefused, match="numpy - pytorch"):
        certify(network, graph.SerializeToString(), tmp_path / "weights.npz", windows, None)


def test_a_pytorch_network_that_moved_on_is_refused(graph, weights, windows):
    later = stirred(SMALL)
    with torch.no_grad():
        later.linear.bias[0] += 1e-4
    with pytest.raises(GateRefused, match="onnxruntime - pytorch"):
        certify(later, graph.SerializeToString(), weights, windows, None)


def test_answers_that_are_not_finite_are_beyond_any_tolerance(weights):
    equations = gates.load_weights(weights)
    prices = adversarial(60)["constant"]
    fine = gates.forecast(equations, prices)
    broken = np.where(np.arange(7) == 2, np.nan, fine)
    assert differences(equations, prices, broken, fine)["head"] == np.inf


def test_figures_are_what_their_names_say(weights):
    """One answer 1e-6 higher in log return than the other: every figure follows by hand."""
    equations = gates.load_weights(weights)
    prices = 50.0 * np.exp(np.cumsum(np.full((1, 60), 0.01), axis=1))
    one = gates.forecast(equations, prices)
    other = one * np.exp(1e-6)
    found = differences(equations, prices, other, one)
    assert found["log_return_absolute"] == pytest.approx(1e-6, rel=1e-6)
    assert found["price_relative"] == pytest.approx(1e-6, rel=1e-5)
    assert found["price_absolute"] == pytest.approx(one.max() * 1e-6, rel=1e-5)
    scale = 0.01  # every return is 1%
    heads = np.abs(np.log(one / prices[:, -1:, None]) / scale)
    assert found["head"] == pytest.approx((1e-6 / scale / np.maximum(1, heads)).max(), rel=1e-5)


def test_the_tolerance_follows_the_longest_sum():
    guide = make_config({"head": "guide"}, "test")
    assert tolerance_of(guide)[0] == pytest.approx(2 * 102 * 2.0**-24)
