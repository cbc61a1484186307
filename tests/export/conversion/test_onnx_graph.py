"""The exported graph: lean, whole, and with a batch of any size."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.conversion.onnx_graph import OPSET, export_onnx
from export.conversion.parity_windows import random_walks
from export.training.config import make_config
from lambda_fn.model.forecaster import open_session
from tests.export.conftest import SMALL, stirred

pytestmark = pytest.mark.slow

CASES = {
    "lstm": SMALL,
    "gru": dataclasses.replace(SMALL, cell="gru"),
    "rnn": dataclasses.replace(SMALL, cell="rnn"),
    "three layers": make_config({"hidden_size": 4, "layers": 3}, "test"),
    "one layer": make_config({"hidden_size": 4, "layers": 1}, "test"),
    "guide": make_config({"hidden_size": 6, "head": "guide"}, "test"),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def case(request, exported):
    """A network, and the graph that an export wrote of it."""
    return stirred(request.param), onnx.load(exported(request.param) / "model.onnx")


def test_one_recurrent_node_a_layer_and_no_control_flow(case):
    network, model = case
    found = Counter(node.op_type for node in model.graph.node)
    assert found[network.config.cell.upper()] == network.config.layers
    assert sum(found[cell] for cell in ("LSTM", "GRU", "RNN")) == network.config.layers
    assert not {"Loop", "Scan", "If"} & set(found)


def test_nothing_is_computed_that_only_depends_on_weights(case):
    """No shape arithmetic, no gate reordering, no zero state is left to run with every request."""
    _, model = case
    found = Counter(node.op_type for node in model.graph.node)
    assert not {"Shape", "Expand", "ConstantOfShape", "Softplus", "CumSum", "Loop", "Split"} & set(found)
    computed = {"prices"}
    for node in model.graph.node:
        assert computed & set(node.input), f"{node.op_type} reads constants alone"
        computed.update(node.output)
    assert len(model.graph.node) <= 55


def test_the_recurrent_nodes_start_from_zero_by_having_no_initial_state(case):
    _, model = case
    for node in model.graph.node:
        if node.op_type in ("LSTM", "GRU", "RNN"):
            assert not any(node.input[4:])


def test_names_types_and_shapes_are_the_contract(case):
    network, model = case
    config = network.config
    shape = lambda value: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]  # noqa: E731
    assert [(value.name, shape(value)) for value in model.graph.input] == [("prices", ["batch", config.window])]
    assert [(value.name, shape(value)) for value in model.graph.output] == [
        ("predicted_price", ["batch"]),
        ("quantiles", ["batch", config.horizon, len(config.quantiles)]),
    ]
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE


def test_opset_is_pinned_and_weights_are_inside(case):
    _, model = case
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in model.graph.initializer)


def test_it_answers_in_any_batch_size_and_in_any_order_alike(case):
    _, model = case
    session = open_session(model.SerializeToString())
    prices = random_walks(64, 60, seed=2)
    whole = session.run(["quantiles"], {"prices": prices})[0]
    turned = session.run(["quantiles"], {"prices": prices[::-1].copy()})[0][::-1]
    np.testing.assert_array_equal(whole, turned)
    for size in (1, 7):
        parts = [session.run(["quantiles"], {"prices": prices[i : i + size]})[0] for i in range(0, 64, size)]
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-7)


def test_the_file_is_a_function_of_the_network_and_tells_nothing_of_the_machine(case):
    network, model = case
    content = model.SerializeToString()
    assert export_onnx(network).SerializeToString() == content
    assert str(Path(__file__).parent.parent.parent.parent).encode() not in content
    assert b".py" not in content
    weights = 4 * network.parameter_count()
    assert len(content) < weights + 16_000  # the weights, once, a few dozen nodes, the means of the volatility features
