"""The same API with onnxruntime in PyTorch's place: what FastAPI and Mangum cost by themselves."""

from __future__ import annotations

import numpy as np
import onnxruntime

from tests.bench.peers.fastapi_app import MODELS, handler_of

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.enable_cpu_mem_arena = False
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(str(MODELS / "model.onnx"), options, providers=["CPUExecutionProvider"])


def quantiles(closes: list[float]) -> list[list[float]]:
    """Closes (window) → price quantiles (horizon, quantiles)."""
    found: list[list[float]] = session.run(["quantiles"], {"prices": np.array([closes])})[0][0].tolist()
    return found


handler = handler_of(quantiles)
