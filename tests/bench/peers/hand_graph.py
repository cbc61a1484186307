"""The same network as an ONNX graph written node by node: the measure of how lean the exported one is."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.training.network import FEATURE_LIMIT, SMALLEST_MEAN, Network
from export.training.scaling import INPUT_LIMIT, SCALE_CEILING, SCALE_FLOOR


def hand_graph(network: Network) -> bytes:
    """A quantile-head LSTM network with EWMA scaling as serialised ONNX, with nothing in it that need not be."""
    config = network.config
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def const(name: str, values: object) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(operator: str, inputs: list[str], *outputs: str, **attributes: object) -> None:
        nodes.append(helper.make_node(operator, inputs, outputs, **attributes))

    zero, one, minus, end = (
        const(name, np.array([v])) for name, v in (("zero", 0), ("one", 1), ("minus", -1), ("end", 2**62))
    )
    node("Slice", ["prices", zero, one, one], "first")
    node("Slice", ["prices", zero, minus, one], "but_last")
    node("Concat", ["first", "but_last"], "previous", axis=1)
    node("Div", ["prices", "previous"], "ratio")
    node("Log", ["ratio"], "returns")
    node("Mul", ["returns", "returns"], "squares")
    node("Mul", ["squares", const("decay", network.scaling.weights.numpy())], "weighted")
    node("ReduceSum", ["weighted", one], "variance")
    node("Sqrt", ["variance"], "deviation")
    node("Clip", ["deviation", const("floor", SCALE_FLOOR), const("ceiling", SCALE_CEILING)], "scale")
    node("Div", ["returns", "scale"], "scaled")
    node("Clip", ["scaled", const("low", -INPUT_LIMIT), const("high", INPUT_LIMIT)], "clipped")
    node("Cast", ["clipped"], "x", to=TensorProto.FLOAT)
    node("Transpose", ["x"], "days", perm=[1, 0])
    node("Unsqueeze", ["days", const("two", np.array([2]))], "layer_0")
    for layer in range(config.layers):
        names = []
        for kind, torch_name in (("W", "weight_ih"), ("R", "weight_hh")):
            values = getattr(network.lstm, f"{torch_name}_l{layer}").detach().numpy()
            gates = values.reshape(4, config.hidden_size, -1)[[0, 3, 1, 2]]  # i f g o → i o f c
            names.append(const(f"{kind}{layer}", gates.reshape(1, 4 * config.hidden_size, -1)))
        biases = [getattr(network.lstm, f"{name}_l{layer}").detach().numpy() for name in ("bias_ih", "bias_hh")]
        ordered = [bias.reshape(4, -1)[[0, 3, 1, 2]].ravel() for bias in biases]
        names.append(const(f"B{layer}", np.concatenate(ordered)[None]))
        last = layer == config.layers - 1
        outputs = ("", "last") if last else (f"all_{layer}",)
        node("LSTM", [f"layer_{layer}", *names], *outputs, hidden_size=config.hidden_size)
        if not last:
            node("Squeeze", [f"all_{layer}", one], f"layer_{layer + 1}")
    node("Squeeze", ["last", zero], "hidden")
    linear = network.linear
    weight, bias = const("weight", linear.weight.detach().numpy()), const("bias", linear.bias.detach().numpy())
    node("Gemm", ["hidden", weight, bias], "of_lstm", transB=1)
    features, widths = network.features, network.volatility.weight.detach().numpy().reshape(config.horizon, 2, -1)
    node("Abs", ["x"], "size")
    node("Mul", ["x", "x"], "square")
    node("Mul", ["x", "size"], "signed_square")
    node("Concat", ["x", "size", "square", "signed_square"], "powers", axis=1)
    node("MatMul", ["powers", const("mean_sizes", features.sizes.numpy())], "sizes_only")
    node("Clip", ["sizes_only", const("smallest", np.float32(SMALLEST_MEAN))], "sizes_bounded")
    node("Cast", ["scale"], "scale32", to=TensorProto.FLOAT)
    node("Concat", ["sizes_bounded", "scale32"], "positive", axis=1)
    node("Log", ["positive"], "logarithms")
    node("MatMul", ["powers", const("mean_signed", features.signed.numpy())], "signed")
    node("Concat", ["logarithms", "signed"], "off_centre", axis=1)
    node("Add", ["off_centre", const("centre", features.centre.numpy())], "features_free")
    bounds = [const(name, np.float32(limit)) for name, limit in (("least", -FEATURE_LIMIT), ("most", FEATURE_LIMIT))]
    node("Clip", ["features_free", *bounds], "features")
    of_features = np.pad(widths, ((0, 0), (1, 0), (0, 0))).reshape(config.horizon * 3, -1)  # locations read none
    node("Gemm", ["features", const("of_features", of_features), "of_lstm"], "raw", transB=1)
    node("Reshape", ["raw", const("shape", np.array([-1, config.horizon, 3]))], "raw_steps")
    node("Split", ["raw_steps", const("sizes", np.array([1, 2]))], "location", "log_width", axis=2)
    node("Exp", ["log_width"], "width")
    node("Gather", ["width", const("side", network.side.numpy())], "widths", axis=2)
    node("Mul", ["widths", const("offsets", network.offsets().detach().numpy())], "spread")
    node("Add", ["location", "spread"], "head")
    node("Cast", ["head"], "head64", to=TensorProto.DOUBLE)
    node("Unsqueeze", ["scale", one], "scale3")
    node("Mul", ["head64", "scale3"], "log_return")
    node("Exp", ["log_return"], "growth")
    node("Slice", ["prices", minus, end, one], "last_price")
    node("Unsqueeze", ["last_price", one], "last_price3")
    node("Mul", ["growth", "last_price3"], "quantiles")
    node("Gather", ["quantiles", const("first_step", np.array(0))], "step_1", axis=1)
    node("Gather", ["step_1", const("median", np.array(config.median_index))], "predicted_price", axis=1)
    double = TensorProto.DOUBLE
    shape = ["batch", config.horizon, len(config.quantiles)]
    graph = helper.make_graph(
        nodes,
        "by hand",
        [helper.make_tensor_value_info("prices", double, ["batch", config.window])],
        [
            helper.make_tensor_value_info("predicted_price", double, ["batch"]),
            helper.make_tensor_value_info("quantiles", double, shape),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
