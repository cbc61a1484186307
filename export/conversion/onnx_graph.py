"""Export the network as an ONNX graph: torch.onnx's exporter, with its left-overs folded away.

The exporter's own LSTM translation reorders the gate weights and builds the zero state in every run. Ours is
the network itself: one recurrent node a layer, weights in ONNX's gate order, no initial state (ONNX takes
zero where none is given). The parity gate judges the result, not this file.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import onnx
import onnxscript.optimizer
import torch
from onnxscript import opset20

from export.training.config import Config
from export.training.network import Network

OPSET = 20
op: Any = opset20
IR_VERSION = 10  # what onnx 1.16 wrote: readable by every onnxruntime since 1.18
OUTPUTS = ("predicted_price", "quantiles")
NO_LIMIT = 1 << 40  # fold constants of any size: the weights are the largest
ATEN = torch.ops.aten
# PyTorch stacks the gates of a cell in one order, ONNX in another; the position of each ONNX gate in PyTorch's.
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}  # i o f c | z r h | h


def export_onnx(network: Network) -> onnx.ModelProto:
    """Export the network in evaluation mode with a dynamic batch, checked by onnx itself."""
    network = network.eval()
    example = torch.linspace(10.0, 11.0, network.config.window, dtype=torch.float64).repeat(2, 1)
    with _only_errors():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=["prices"],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            custom_translation_table=_translations(network.config),
            verbose=False,
        )
    assert program is not None
    model = program.model
    onnxscript.optimizer.optimize(model, input_size_limit=NO_LIMIT, output_size_limit=NO_LIMIT)
    proto = program.model_proto
    proto.ir_version = IR_VERSION
    _drop_traces(proto)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _drop_traces(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes on its own run, stack traces with this machine's paths among them.

    What is left is a function of the network and the libraries: equal weights give an equal file on any machine.
    """
    graph = model.graph
    del graph.value_info[:]
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def _translations(config: Config) -> dict[Callable[..., Any], Callable[..., Any]]:
    overload, node = {
        "lstm": (ATEN.lstm.input, "LSTM"),
        "gru": (ATEN.gru.input, "GRU"),
        "rnn": (ATEN.rnn_tanh.input, "RNN"),
    }[config.cell]
    return {overload: _recurrent(node, config.hidden_size)}


def _recurrent(node: str, hidden_size: int) -> Callable[..., Any]:
    """Translate nn.LSTM, nn.GRU or nn.RNN as `Network` uses it: batch first, one direction, zero state."""
    gates = GATES[node]
    rows = [gate * hidden_size + unit for gate in gates for unit in range(hidden_size)]
    extra = {"linear_before_reset": 1} if node == "GRU" else {}  # PyTorch's GRU resets after the product

    def translate(
        x: Any, state: Any, params: Sequence[Any], has_biases: bool, layers: int,
        dropout: float, train: bool, bidirectional: bool, batch_first: bool,
    ) -> tuple[Any, ...]:  # fmt: skip
        assert has_biases
        assert batch_first
        assert not bidirectional
        assert not train
        assert not dropout
        del state  # Network gives none: PyTorch's own zeros
        order = op.Constant(value_ints=rows)
        y = op.Transpose(x, perm=[1, 0, 2])  # (window, batch, 1)
        last: list[Any] = []
        cells: list[Any] = []
        for layer in range(layers):
            w_ih, w_hh, b_ih, b_hh = (op.Gather(p, order, axis=0) for p in params[layer * 4 : layer * 4 + 4])
            weight, recurrence = op.Unsqueeze(w_ih, [0]), op.Unsqueeze(w_hh, [0])  # (1, gates × hidden, ·)
            bias = op.Unsqueeze(op.Concat(b_ih, b_hh, axis=0), [0])  # (1, 2 × gates × hidden)
            outputs = getattr(op, node)(y, weight, recurrence, bias, hidden_size=hidden_size, **extra)
            y = op.Squeeze(outputs[0], [1])  # (window, batch, hidden)
            last.append(outputs[1])  # (1, batch, hidden)
            cells.extend(outputs[2:])
        states = [op.Concat(*each, axis=0) if layers > 1 else each[0] for each in (last, cells) if each]
        return (op.Transpose(y, perm=[1, 0, 2]), *states)

    return translate


@contextlib.contextmanager
def _only_errors() -> Iterator[None]:
    """Silence the exporter's remarks on optional packages and its own deprecations; its errors still raise."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
