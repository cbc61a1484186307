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
from torch import Tensor

from export.training.network import Network

OPSET = 20
op: Any = opset20
IR_VERSION = 10  # what onnx 1.16 wrote: readable by every onnxruntime since 1.18
OUTPUTS = ("predicted_price", "quantiles")
NO_LIMIT = 1 << 40  # fold constants of any size: the weights are the largest
# PyTorch stacks the gates of a cell in one order, ONNX in another; the position of each ONNX gate in PyTorch's.
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}  # i o f c | z r h | h


def export_onnx(network: Network) -> onnx.ModelProto:
    """Export the network in evaluation mode with a dynamic batch, checked by onnx itself."""
    network = network.eval()
    example = torch.linspace(10.0, 11.0, network.config.window, dtype=torch.float64).repeat(2, 1)
    with _only_errors(), _one_operator(network):
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=["prices"],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            custom_translation_table={
                torch.ops.efemera.last_hidden.default: _recurrent(network.config.cell, network.config.hidden_size)
            },
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


@contextlib.contextmanager
def _one_operator(network: Network) -> Iterator[None]:
    """Trace the recurrent stack as the one operator that `_recurrent` translates.

    PyTorch would trace its own `lstm` through every day, layer and gate, four times over, only to learn the shapes.
    """
    stack, lstm = network.lstm, network.config.cell == "lstm"
    assert (stack.batch_first, stack.bias, stack.bidirectional, stack.proj_size) == (True, True, False, 0), stack

    def forward(x: Tensor) -> tuple[None, Tensor | tuple[Tensor, None]]:
        h = torch.ops.efemera.last_hidden(x, [*stack.parameters()])  # (layers, batch, hidden)
        return None, (h, None) if lstm else h

    stack.forward = forward  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        del stack.forward


torch.library.define("efemera::last_hidden", "(Tensor x, Tensor[] weights) -> Tensor")
torch.library.register_fake(  # all that tracing asks of it: (layers, batch, hidden)
    "efemera::last_hidden", lambda x, weights: x.new_empty(len(weights) // 4, x.shape[0], weights[1].shape[1])
)


def _recurrent(cell: str, hidden_size: int) -> Callable[..., Any]:
    """Translate nn.LSTM, nn.GRU or nn.RNN as `Network` uses it: batch first, one direction, zero state, last h."""
    node = cell.upper()
    gates = GATES[node]
    rows = [gate * hidden_size + unit for gate in gates for unit in range(hidden_size)]
    extra = {"linear_before_reset": 1} if node == "GRU" else {}  # PyTorch's GRU resets after the product

    def translate(x: Any, weights: Sequence[Any]) -> Any:
        order = op.Constant(value_ints=rows)
        y = op.Transpose(x, perm=[1, 0, 2])  # (window, batch, 1)
        last: list[Any] = []
        for start in range(0, len(weights), 4):
            w_ih, w_hh, b_ih, b_hh = (op.Gather(w, order, axis=0) for w in weights[start : start + 4])
            weight, recurrence = op.Unsqueeze(w_ih, [0]), op.Unsqueeze(w_hh, [0])  # (1, gates × hidden, ·)
            bias = op.Unsqueeze(op.Concat(b_ih, b_hh, axis=0), [0])  # (1, 2 × gates × hidden)
            outputs = getattr(op, node)(y, weight, recurrence, bias, hidden_size=hidden_size, **extra)
            y = op.Squeeze(outputs[0], [1])  # (window, batch, hidden)
            last.append(outputs[1])  # (1, batch, hidden)
        return op.Concat(*last, axis=0) if len(last) > 1 else last[0]  # (layers, batch, hidden)

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
