"""The study guide's design: FastAPI, Mangum, and the network run by PyTorch itself."""

from __future__ import annotations

import torch

from export.training.checkpoint import read_checkpoint
from tests.bench.peers.fastapi_app import MODELS, handler_of

torch.set_num_threads(1)
network = read_checkpoint(MODELS / "model_lstm.pth")[0].eval()


@torch.inference_mode()
def quantiles(closes: list[float]) -> list[list[float]]:
    """Closes (window) → price quantiles (horizon, quantiles)."""
    found: list[list[float]] = network(torch.tensor([closes], dtype=torch.float64))[1][0].tolist()
    return found


handler = handler_of(quantiles)
