"""How much of what a cell holds is still there 50 days later: the product of its forget gates."""

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
from export.lab.experiment import FAILS, HOLDS, IN_PART, Numbers, Setup, Words
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
    """`count` windows of closes, evenly spread over all that there are: (count, window) float64."""
    first = np.concatenate(
        [np.arange(start, end - window + 1) for start, end in zip(prices.starts[:-1], prices.starts[1:], strict=True)]
    )
    chosen = first[np.linspace(0, len(first) - 1, min(count, len(first))).astype(np.int64)]
    return torch.from_numpy(prices.y[chosen[:, None] + np.arange(window)])


def inputs_of(network: Network, windows: Tensor) -> Tensor:
    """What the network's LSTM reads of these windows: (count, window, 1) float32."""
    return network.scaling.encode(windows)[0].float().unsqueeze(-1)


def of_gates(forget: Tensor, days: int) -> dict[str, Any]:
    """The mean gate of (windows, days, units), what is kept by lag, and by the best unit at the last lag."""
    lags = range(1, days + 1)
    kept = [float(kept_after(forget, lag).mean()) for lag in lags]
    return {
        "gate": float(forget.mean()),
        "kept": kept,
        "best": float(kept_after(forget, days).mean(dim=0).max()),
        "half_life": max((lag for lag, share in zip(lags, kept, strict=True) if share >= HALF), default=0),
    }


def measure(setup: Setup) -> Numbers:
    """Fresh LSTMs at each forget bias, the trained model layer by layer, and one trained to remember."""
    config = setup.network.config
    x = inputs_of(setup.network, windows_of(setup.prices, config.window))
    days = min(DAYS, config.window - 1)
    found: dict[str, Any] = {}
    for bias in BIASES:
        lstm = fresh("lstm", config.hidden_size, 1, setup.seed, forget_bias=float(bias))
        assert isinstance(lstm, nn.LSTM)
        by_hand = (1 / (1 + math.exp(-bias))) ** days
        found[f"bias {bias}"] = {**of_gates(forget_gates(lstm, x)[0], days), "by_hand": by_hand}
    setup.on_progress("kept", 1, 2)
    if isinstance(setup.network.lstm, nn.LSTM):
        for layer, gates in enumerate(forget_gates(setup.network.lstm, x), start=1):
            found[f"trained layer {layer}"] = of_gates(gates, days)
    lstm, _, _ = long_recall.better("lstm", setup.fast, setup.seed)
    assert isinstance(lstm, nn.LSTM)
    marked, _ = long_recall.sequences(WINDOWS, torch.full((WINDOWS,), DAYS), torch.Generator().manual_seed(setup.seed))
    found["recall"] = of_gates(forget_gates(lstm.cpu(), marked)[0], days)
    setup.on_progress("kept", 2, 2)
    return {"days": days, "windows": len(x), "cells": found}


def _trained(numbers: Numbers) -> list[dict[str, Any]]:
    return [cell for name, cell in numbers["cells"].items() if name.startswith("trained")]


def judge(numbers: Numbers) -> str:
    """Whether the trained model keeps half over the days, or at least a unit of it or of a cell trained to remember."""
    if any(cell["kept"][-1] >= HALF for cell in _trained(numbers)):
        return HOLDS
    able = [*_trained(numbers), numbers["cells"]["recall"]]
    return IN_PART if any(cell["best"] >= HALF for cell in able) else FAILS


def tell(numbers: Numbers, language: Language) -> Words:
    """The words."""
    cells, days = numbers["cells"], numbers["days"]
    fresh_kept = [language.small(cells[f"bias {bias}"]["kept"][-1]) for bias in BIASES]
    sentence = language(
        f"Over {days} days a fresh LSTM keeps {fresh_kept[0]} of what its cell holds; with a forget bias of 1, "
        f"{fresh_kept[1]}, and of 2, {fresh_kept[2]}.",
        f"Em {days} dias, uma LSTM recém-criada conserva {fresh_kept[0]} do que a célula guarda; com viés de "
        f"esquecimento 1, {fresh_kept[1]}, e com 2, {fresh_kept[2]}.",
    )
    if layers := _trained(numbers):
        shares = language.listed([language.small(cell["kept"][-1]) for cell in layers])
        gate = language.small(float(np.mean([cell["gate"] for cell in layers])))
        sentence += language(
            f" The model trained on prices keeps {shares} (layer by layer; its mean forget gate is {gate})",
            f" O modelo treinado com preços conserva {shares} (camada por camada; a porta de esquecimento média é "
            f"{gate})",
        )
        best, found = language.percent(cells["recall"]["best"]), judge(numbers)
        if found == HOLDS:
            sentence += language(": it does carry the past that far.", ": ele leva, sim, o passado tão longe.")
        elif cells["recall"]["best"] >= HALF:
            sentence += language(
                f": it lives on the last days. The LSTM can do otherwise: one trained to remember keeps {best} in its "
                f"best unit. Prices did not ask for it.",
                f": vive dos últimos dias. A LSTM sabe fazer diferente: uma treinada para lembrar conserva {best} na "
                f"melhor unidade. Os preços não pediram isso.",
            )
        else:
            sentence += language(
                f": it lives on the last days, and one trained to remember keeps {best} in its best unit.",
                f": vive dos últimos dias, e uma treinada para lembrar conserva {best} na melhor unidade.",
            )
    rows = tuple(
        (
            name_of(name, language),
            language.fixed(cell["gate"], 3),
            language.small(cell["by_hand"]) if "by_hand" in cell else "",
            language.small(cell["kept"][-1]),
            language.small(cell["best"]),
            language.count(cell["half_life"]),
        )
        for name, cell in cells.items()
    )
    return Words(
        language(f"What is kept over {days} days", f"O que sobra depois de {days} dias"),
        language(
            "An LSTM's cell carries information over 50 days.", "A célula de uma LSTM leva informação por 50 dias."
        ),
        sentence,
        language(
            f"Kept is the product of the forget gates of the {days} days that follow: the share of a cell state that "
            f"is still in it, a mean over units and {numbers['windows']} windows of the prices. What the hidden state "
            f"writes into the cell anew is not counted; the gradient's experiment counts both. “By hand” is σ(bias) "
            f"to the power of {days}, for a gate that hears its bias alone. The LSTM trained to remember is that of "
            f"the long memory's task, on its own inputs.",
            f"Conservado é o produto das portas de esquecimento dos {days} dias seguintes: a parte do estado da "
            f"célula que ainda está nela, em média sobre as unidades e {numbers['windows']} janelas dos preços. O que "
            f"o estado oculto escreve de novo na célula não conta; o experimento do gradiente conta os dois. “À mão” "
            f"é σ(viés) elevado a {days}, para uma porta que só ouve o viés. A LSTM treinada para lembrar é a da "
            f"tarefa da memória longa, com as entradas dela.",
        ),
        (
            language("LSTM", "LSTM"),
            language("mean gate", "porta média"),
            language("by hand", "à mão"),
            language("kept", "conservado"),
            language("best unit", "melhor unidade"),
            language("days until half is left", "dias até sobrar metade"),
        ),
        rows,
        language(
            "A line that falls has forgotten; the one of a cell that remembers stays at the top.",
            "A linha que cai esqueceu; a de uma célula que lembra fica no alto.",
        ),
        language(
            "Share of the cell kept by days, on a logarithmic scale, one line an LSTM",
            "Parte da célula conservada por dias, em escala logarítmica, uma linha por LSTM",
        ),
    )


def name_of(name: str, language: Language) -> str:
    """A row's or a line's name."""
    kind, _, number = name.partition(" ")
    if kind == "bias":
        return language(f"fresh, forget bias {number}", f"recém-criada, viés {number}")
    if kind == "trained":
        layer = number.removeprefix("layer ")
        return language(f"trained on prices, layer {layer}", f"treinada com preços, camada {layer}")
    return language("trained to remember", "treinada para lembrar")


def draw(numbers: Numbers, language: Language) -> Figure:
    """The mean share kept by lag; of the LSTM trained to remember the best unit's is in the table."""
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
    axes.set_xlabel(language("days later", "dias depois"))
    axes.set_title(language("Share of the cell that is still there", "Parte da célula que ainda está lá"))
    put_legend(figure, axes, 2)
    return figure
