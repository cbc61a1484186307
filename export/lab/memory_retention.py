"""Retention of a cell's state over 50 days: the product of its forget gates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from export.data.price_table import Prices
from export.evaluation.report.style import new_figure, put_legend
from export.lab import long_recall
from export.lab.cells import forget_gates, fresh, kept_after
from export.lab.experiment import FAILS, HOLDS, IN_PART, Numbers, Setup
from export.lab.language import Language
from export.lab.style import power_ticks
from export.training.network import Network

DAYS = 50
BIASES = (0, 1, 2)
WINDOWS = 64  # of real inputs that the gates react to
HALF = 0.5
COLOURS = ("#1f2933", "#d97941", "#e2a33b", "#2b6c8f", "#5f7f1f", "#8a6fb0", "#9a3412", "#3f9c8f")
SMALLEST = 1e-16  # drawn


def windows_of(prices: Prices, window: int, count: int = WINDOWS) -> Tensor:
    """Cut `count` windows of closes, evenly spread over all that there are: (count, window) float64."""
    first = np.concatenate(
        [np.arange(start, end - window + 1) for start, end in zip(prices.starts[:-1], prices.starts[1:], strict=True)]
    )
    chosen = first[np.linspace(0, len(first) - 1, min(count, len(first))).astype(np.int64)]
    return torch.from_numpy(prices.y[chosen[:, None] + np.arange(window)])


def inputs_of(network: Network, windows: Tensor) -> Tensor:
    """Encode these windows as the network's LSTM reads them: (count, window, 1) float32."""
    return network.scaling.encode(windows)[0].float().unsqueeze(-1)


def of_gates(forget: Tensor, days: int) -> dict[str, Any]:
    """Summarise gates (windows, days, units): their mean, what is kept by lag, and by the best unit at the last lag."""
    lags = range(1, days + 1)
    kept = [float(kept_after(forget, lag).mean()) for lag in lags]
    return {
        "gate": float(forget.mean()),
        "kept": kept,
        "best": float(kept_after(forget, days).mean(dim=0).max()),
        "half_life": max((lag for lag, share in zip(lags, kept, strict=True) if share >= HALF), default=0),
    }


def measure(setup: Setup) -> Numbers:
    """Measure fresh LSTMs at each forget bias, the trained model layer by layer, and one trained to remember."""
    config = setup.network.config
    x = inputs_of(setup.network, windows_of(setup.prices, config.window))
    days = min(DAYS, config.window - 1)
    cells: dict[str, Any] = {}
    for bias in BIASES:
        lstm = fresh("lstm", config.hidden_size, 1, setup.seed, forget_bias=float(bias))
        assert isinstance(lstm, nn.LSTM)
        by_hand = (1 / (1 + math.exp(-bias))) ** days
        cells[f"bias {bias}"] = {**of_gates(forget_gates(lstm, x)[0], days), "by_hand": by_hand}
    setup.on_progress("kept", 1, 2)
    if isinstance(setup.network.lstm, nn.LSTM):
        for layer, gates in enumerate(forget_gates(setup.network.lstm, x), start=1):
            cells[f"trained layer {layer}"] = of_gates(gates, days)
    lstm, _, _ = long_recall.better("lstm", setup.fast, setup.seed)
    assert isinstance(lstm, nn.LSTM)
    marked, _ = long_recall.sequences(WINDOWS, torch.full((WINDOWS,), DAYS), torch.Generator().manual_seed(setup.seed))
    cells["recall"] = of_gates(forget_gates(lstm.cpu(), marked)[0], days)
    setup.on_progress("kept", 2, 2)
    return {"days": days, "windows": len(x), "cells": cells}


def _trained(numbers: Numbers) -> list[dict[str, Any]]:
    return [cell for name, cell in numbers["cells"].items() if name.startswith("trained")]


def judge(numbers: Numbers) -> str:
    """Judge whether the trained model keeps half over the days, or a unit of it or of the one trained to remember."""
    if any(cell["kept"][-1] >= HALF for cell in _trained(numbers)):
        return HOLDS
    able = [*_trained(numbers), numbers["cells"]["recall"]]
    return IN_PART if any(cell["best"] >= HALF for cell in able) else FAILS


def sentence(numbers: Numbers) -> list[str]:
    """Name the texts of the sentence."""
    if not _trained(numbers):
        return ["fresh"]
    if judge(numbers) == HOLDS:
        return ["fresh", "trained", "carries"]
    return ["fresh", "trained", "could" if numbers["cells"]["recall"]["best"] >= HALF else "forgets"]


def fields(numbers: Numbers, language: Language) -> dict[str, Any]:
    """Compute the fields of the texts."""
    cells, layers = numbers["cells"], _trained(numbers)
    return {
        **numbers,
        **{f"bias_{bias}": cells[f"bias {bias}"]["kept"][-1] for bias in BIASES},
        "layers": language.listed([language.small(cell["kept"][-1]) for cell in layers]),
        "gate": float(np.mean([cell["gate"] for cell in layers])) if layers else math.nan,
        "best": cells["recall"]["best"],
    }


def rows(numbers: Numbers, language: Language) -> list[list[str]]:
    """Build a row an LSTM."""
    return [
        [
            name_of(name, language),
            language.number(cell["gate"], ".3f"),
            language.small(cell["by_hand"]) if "by_hand" in cell else "",
            language.small(cell["kept"][-1]),
            language.small(cell["best"]),
            language.number(cell["half_life"], ","),
        ]
        for name, cell in numbers["cells"].items()
    ]


def name_of(name: str, language: Language) -> str:
    """Name a row or a line: "bias 1", "trained layer 2" or "recall" in words."""
    kind, _, number = name.partition(" ")
    return language.text(f"kept.cells.{kind}", number=number.removeprefix("layer "))


def draw(numbers: Numbers, language: Language) -> Figure:
    """Draw the mean share kept by lag; of the LSTM trained to remember the best unit's is in the table."""
    figure, (axes,) = new_figure(4.4)
    for colour, (name, cell) in zip(COLOURS, numbers["cells"].items(), strict=False):
        line = "--" if name.startswith("bias") else "-"
        days = range(len(cell["kept"]) + 1)
        axes.plot(
            days, [1.0, *cell["kept"]], color=colour, linestyle=line, linewidth=1.8, label=name_of(name, language)
        )
    power_ticks(axes)
    axes.set_ylim(SMALLEST, 3)
    axes.set_xlim(0, numbers["days"])
    axes.set_xlabel(language.text("kept.axis"))
    axes.set_title(language.text("kept.plot"))
    put_legend(figure, axes, 2)
    return figure
