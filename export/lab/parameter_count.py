"""Parameters of RNN, GRU and LSTM: counted from real modules, and by the formula."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from export.evaluation.report.style import new_figure
from export.lab.cells import fresh
from export.lab.experiment import FAILS, HOLDS, Numbers, Setup
from export.lab.language import Language
from export.lab.style import LABELS, LOOKS
from export.training.config import make_config
from export.training.network import Network

GATES = {"rnn": 1, "gru": 3, "lstm": 4}  # sums that a cell makes each day
SIZES = ((50, 2), (50, 1), (32, 1), (100, 2))  # hidden, layers; the guide's first


def formula(cell: str, hidden: int, layers: int) -> int:
    """Compute gates × (hidden × inputs + hidden² + 2 × hidden) a layer; PyTorch has two biases a gate."""
    inputs = [1] + [hidden] * (layers - 1)
    return GATES[cell] * sum(hidden * before + hidden**2 + 2 * hidden for before in inputs)


def measure(setup: Setup) -> Numbers:
    """Count the recurrent parameters at each size, and those of the guide's whole network with its Linear."""
    sizes = []
    for done, (hidden, layers) in enumerate(SIZES, start=1):
        counted = {
            cell: sum(weight.numel() for weight in fresh(cell, hidden, layers, setup.seed).parameters())
            for cell in GATES
        }
        computed = {cell: formula(cell, hidden, layers) for cell in GATES}
        sizes.append({"hidden": hidden, "layers": layers, "counted": counted, "formula": computed})
        setup.on_progress("parameters", done, len(SIZES))
    whole = {
        cell: Network(make_config({"head": "guide", "cell": cell}, "the guide's network")).parameter_count()
        for cell in GATES
    }
    return {"sizes": sizes, "whole": whole}


def judge(numbers: Numbers) -> str:
    """Judge whether it is 1 : 3 : 4 at every size, and the formula right."""
    exact = all(
        size["counted"] == size["formula"]
        and all(size["counted"][cell] == gates * size["counted"]["rnn"] for cell, gates in GATES.items())
        for size in numbers["sizes"]
    )
    return HOLDS if exact else FAILS


def sentence(numbers: Numbers) -> list[str]:
    """Name the texts of the sentence."""
    return [judge(numbers)]


def fields(numbers: Numbers, language: Language) -> dict[str, Any]:
    """Compute the fields of the texts."""
    first, whole = numbers["sizes"][0], numbers["whole"]
    return {
        **numbers,
        "first": first,
        "ratio": _ratio(first["counted"], language),
        "whole_ratio": _ratio(whole, language),
    }


def _ratio(counts: dict[str, int], language: Language) -> str:
    return " : ".join(language.number(counts[cell] / counts["rnn"], ".2f") for cell in GATES)


def rows(numbers: Numbers, language: Language) -> list[list[str]]:
    """Build a row a size, and one of the whole network."""
    sizes = [
        [
            f"{size['layers']} × {size['hidden']}",
            *(language.number(size["counted"][cell], ",") for cell in GATES),
            " : ".join(language.small(size["counted"][cell] / size["counted"]["rnn"]) for cell in GATES),
        ]
        for size in numbers["sizes"]
    ]
    whole = numbers["whole"]
    counts = (language.number(whole[cell], ",") for cell in GATES)
    return [*sizes, [language.text("parameters.whole_row"), *counts, _ratio(whole, language)]]


def draw(numbers: Numbers, language: Language) -> Figure:
    """Draw one bar a cell, at the guide's size."""
    first = numbers["sizes"][0]
    figure, (axes,) = new_figure(2.6)
    counts = [first["counted"][cell] for cell in GATES]
    bars = axes.barh(range(len(counts)), counts, color=[LOOKS[cell][0] for cell in GATES], height=0.6)
    axes.bar_label(bars, [language.number(count, ",") for count in counts], padding=4)
    axes.set_yticks(range(len(counts)), list(LABELS.values()))
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(False)
    axes.set_xlim(0, 1.15 * max(counts))
    axes.xaxis.set_major_formatter(lambda value, _: language.number(int(value), ","))
    axes.set_title(language.text("parameters.plot", **first))
    return figure
