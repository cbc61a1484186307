"""How many parameters RNN, GRU and LSTM have: counted from real modules, and by the formula."""

from __future__ import annotations

from matplotlib.figure import Figure

from export.evaluation.report.style import new_figure
from export.lab.cells import fresh
from export.lab.experiment import FAILS, HOLDS, Numbers, Setup, Words
from export.lab.language import Language
from export.lab.style import LABELS, LOOKS
from export.training.config import make_config
from export.training.network import Network

GATES = {"rnn": 1, "gru": 3, "lstm": 4}  # sums that a cell makes each day
SIZES = ((50, 2), (50, 1), (32, 1), (100, 2))  # hidden, layers; the guide's first


def formula(cell: str, hidden: int, layers: int) -> int:
    """gates × (hidden × inputs + hidden² + 2 × hidden) a layer; PyTorch has two biases a gate."""
    inputs = [1] + [hidden] * (layers - 1)
    return GATES[cell] * sum(hidden * before + hidden**2 + 2 * hidden for before in inputs)


def measure(setup: Setup) -> Numbers:
    """The recurrent parameters at each size, and those of the guide's whole network with its Linear."""
    found = []
    for done, (hidden, layers) in enumerate(SIZES, start=1):
        counted = {
            cell: sum(weight.numel() for weight in fresh(cell, hidden, layers, setup.seed).parameters())
            for cell in GATES
        }
        told = {cell: formula(cell, hidden, layers) for cell in GATES}
        found.append({"hidden": hidden, "layers": layers, "counted": counted, "formula": told})
        setup.on_progress("parameters", done, len(SIZES))
    whole = {
        cell: Network(make_config({"head": "guide", "cell": cell}, "the guide's network")).parameter_count()
        for cell in GATES
    }
    return {"sizes": found, "whole": whole}


def judge(numbers: Numbers) -> str:
    """Whether it is 1 : 3 : 4 at every size, and the formula right."""
    exact = all(
        size["counted"] == size["formula"]
        and all(size["counted"][cell] == gates * size["counted"]["rnn"] for cell, gates in GATES.items())
        for size in numbers["sizes"]
    )
    return HOLDS if exact else FAILS


def tell(numbers: Numbers, language: Language) -> Words:
    """The words."""
    first, whole = numbers["sizes"][0], numbers["whole"]
    counts = [language.count(first["counted"][cell]) for cell in GATES]
    parts = [language.fixed(first["counted"][cell] / first["counted"]["rnn"], 2) for cell in GATES]
    total = language.count(whole["lstm"])
    shares = " : ".join(language.fixed(whole[cell] / whole["rnn"], 2) for cell in GATES)
    size = (language.count(first["hidden"]), language.count(first["layers"]))
    if judge(numbers) == HOLDS:
        sentence = language(
            f"With {size[1]} layers of {size[0]} units an RNN has {counts[0]} parameters, a GRU {counts[1]} and an "
            f"LSTM {counts[2]}: exactly 1 : 3 : 4. The guide's whole network, with its Linear, has {total}, and there "
            f"the ratio is {shares}.",
            f"Com {size[1]} camadas de {size[0]} unidades, uma RNN tem {counts[0]} parâmetros, uma GRU {counts[1]} e "
            f"uma LSTM {counts[2]}: exatamente 1 : 3 : 4. A rede completa do guia, com a camada Linear, tem {total}, "
            f"e nela a proporção é {shares}.",
        )
    else:
        sentence = language(
            f"The parameters stand as {' : '.join(parts)}, not 1 : 3 : 4, or the formula miscounts them.",
            f"Os parâmetros estão na proporção {' : '.join(parts)}, e não 1 : 3 : 4, ou a fórmula erra a conta.",
        )
    rows = [
        (
            f"{size['layers']} × {size['hidden']}",
            *(language.count(size["counted"][cell]) for cell in GATES),
            " : ".join(language.small(size["counted"][cell] / size["counted"]["rnn"]) for cell in GATES),
        )
        for size in numbers["sizes"]
    ]
    rows.append(
        (
            language("the guide's network, Linear included", "a rede do guia, com a Linear"),
            *(language.count(whole[cell]) for cell in GATES),
            shares,
        )
    )
    return Words(
        language("Parameters", "Parâmetros"),
        language(
            "RNN, GRU and LSTM of one size have parameters in the ratio 1 : 3 : 4.",
            "RNN, GRU e LSTM do mesmo tamanho têm parâmetros na proporção 1 : 3 : 4.",
        ),
        sentence,
        language(
            "The numbers are counted from PyTorch's own modules, with one input a day, and compared with the formula "
            "gates × (hidden × inputs + hidden² + 2 × hidden) a layer. A book that gives each gate one bias and not "
            "two counts gates × hidden fewer a layer; the ratio is the same.",
            "Os números são contados nos módulos do próprio PyTorch, com uma entrada por dia, e comparados com a "
            "fórmula portas × (ocultas × entradas + ocultas² + 2 × ocultas) por camada. Um livro que dá a cada porta "
            "um viés, e não dois, conta portas × ocultas a menos por camada; a proporção é a mesma.",
        ),
        (language("layers × units", "camadas × unidades"), *LABELS.values(), language("ratio", "proporção")),
        tuple(rows),
        language(
            "Each cell's bar is as long as its parameters are many, in the guide's size.",
            "A barra de cada célula é tão longa quanto são muitos os seus parâmetros, no tamanho do guia.",
        ),
        language("Three bars: RNN, GRU, LSTM; ", "Três barras: RNN, GRU, LSTM; ") + language.listed(counts),
    )


def draw(numbers: Numbers, language: Language) -> Figure:
    """One bar a cell, at the guide's size."""
    first = numbers["sizes"][0]
    figure, (axes,) = new_figure(2.6)
    counts = [first["counted"][cell] for cell in GATES]
    bars = axes.barh(range(len(counts)), counts, color=[LOOKS[cell][0] for cell in GATES], height=0.6)
    axes.bar_label(bars, [language.count(count) for count in counts], padding=4)
    axes.set_yticks(range(len(counts)), list(LABELS.values()))
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(False)
    axes.set_xlim(0, 1.15 * max(counts))
    axes.xaxis.set_major_formatter(lambda value, _: language.count(int(value)))
    axes.set_title(
        language(
            f"Parameters of {first['layers']} layers of {first['hidden']} units",
            f"Parâmetros de {first['layers']} camadas de {first['hidden']} unidades",
        )
    )
    return figure
