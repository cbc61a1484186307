"""The exported graph against the same network in a graph written by hand, and what the arena is worth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime

from export.conversion.parity_windows import random_walks
from export.training.checkpoint import read_checkpoint
from lambda_fn.model.forecaster import open_session
from tests.bench.measure import in_turn, row
from tests.bench.peers.hand_graph import hand_graph


def rows(models: Path) -> Iterator[tuple[str, ...]]:
    """Time both graphs in turn, in batches of 1 and 64."""
    network, _ = read_checkpoint(models / "model_lstm.pth")
    exported, by_hand = open_session(models / "model.onnx"), open_session(hand_graph(network))
    with_arena = _with_arena(models / "model.onnx")
    for batch, rounds in ((1, 2000), (64, 150)):
        prices = random_walks(batch, network.config.window, seed=0)
        answers = [session.run(["quantiles"], {"prices": prices})[0] for session in (exported, by_hand)]
        np.testing.assert_allclose(*answers, rtol=1e-6)
        times = in_turn(
            {
                "exported": lambda p=prices: exported.run(["quantiles"], {"prices": p}),
                "by hand": lambda p=prices: by_hand.run(["quantiles"], {"prices": p}),
                "arena": lambda p=prices: with_arena.run(["quantiles"], {"prices": p}),
            },
            rounds,
            warmup=20,
        )
        yield row(f"graph, batch {batch}", times, "exported", "by hand", "the same by hand", "≤ 1.15 ×")
        yield row(f"graph, batch {batch}, no arena", times, "exported", "arena", "with the arena")


def _with_arena(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
