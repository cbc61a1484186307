"""The life of the memory: h and c start at zero for each request, and what it would be like if they did not."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from export.evaluation.report.style import new_figure
from export.forecast_plot import ACCENT
from export.lab.experiment import FAILS, HOLDS, Numbers, Setup, Words
from export.lab.language import Language
from export.lab.memory_retention import windows_of
from export.lab.style import power_ticks
from export.training.network import Network

READ = (1, 2, 3, 5, 10, 20, 30, 40, 50, 60)  # days that a server with a memory would read of a request
FIRST, SECOND = "PETR4", "VALE3"  # the guide's own, where the prices have them
DIGITS = 1e-12  # below, a difference is none


def with_memory(network: Network, windows: Tensor, state: Any, days: int) -> tuple[Tensor, Any]:
    """Quantiles (count, horizon, quantiles) when the last `days` of each window are read on top of a state, and the new
    state; without a state and with all days it is the network itself."""
    inputs, scale = network.scaling.encode(windows)
    x = inputs.float()
    _, state = network.lstm(x[:, -days:].unsqueeze(-1), state)
    hidden = state[0] if network.config.cell == "lstm" else state
    volatility = network.volatility(network.features(x, scale)) if network.config.reads_volatility else None
    head = network.head(network.linear(hidden[-1]), volatility)
    return network.scaling.decode(head.double(), scale, windows), state


@torch.no_grad()
def strayed(network: Network, windows: Tensor) -> list[dict[str, float]]:
    """How far the answers stray when the state of another series' window is carried into a request, by days read.

    Against the same days read on the request's own state, or from zero where all of them are read: the largest and the
    median relative difference of the price quantiles.
    """
    network.eval()
    window = network.config.window
    _, own = with_memory(network, windows, None, window)
    other = _rolled(own)
    found = []
    for days in sorted({min(days, window) for days in READ} | {window}):
        right, _ = with_memory(network, windows, None if days == window else own, days)
        wrong, _ = with_memory(network, windows, other, days)
        off = ((wrong - right).abs() / right).amax(dim=(1, 2))  # (count,)
        found.append({"days": days, "worst": float(off.max()), "median": float(off.median())})
    return found


def _rolled(state: Any) -> Any:
    """Each window's state in the hands of one half the table away: windows stand by series, so of another series."""
    if isinstance(state, tuple):
        return tuple(_rolled(part) for part in state)
    return state.roll(state.shape[1] // 2, dims=1).contiguous()


def measure(setup: Setup) -> Numbers:
    """The deployed code asked alone and after others, bit for bit, and the counter-example in PyTorch."""
    window = setup.network.config.window
    ids = setup.prices.ids
    first, second = (FIRST, SECOND) if {FIRST, SECOND} <= set(ids) else (ids[0], ids[-1])
    last = {name: setup.prices.series(name)[1][-window:].tolist() for name in ids}
    alone = {name: setup.serve()([closes]) for name, closes in list(last.items())[:8]}
    for name in (first, second):
        alone.setdefault(name, setup.serve()([last[name]]))
    ask, orders, equal = setup.serve(), 0, 0
    for done, name in enumerate(alone, start=1):
        for before in alone:
            ask([last[before]])
            orders, equal = orders + 1, equal + int(np.array_equal(ask([last[name]]), alone[name]))
        setup.on_progress("life", done, len(alone))
    ask = setup.serve()
    ask([last[second]])
    pair = ask([last[first]])
    together = setup.serve()([last[second], last[first]])[1]
    return {
        "first": first, "second": second, "orders": orders, "equal": equal,
        "pair_equal": bool(np.array_equal(pair, alone[first])),
        "price_alone": float(alone[first][0][0]), "price_after": float(pair[0][0]),
        "together_relative": float(np.max(np.abs(together - alone[first][0]) / np.abs(alone[first][0]))),
        "strayed": strayed(setup.network, windows_of(setup.prices, window)),
    }  # fmt: skip


def judge(numbers: Numbers) -> str:
    """Not one answer may depend on what was asked before."""
    return HOLDS if numbers["pair_equal"] and numbers["equal"] == numbers["orders"] else FAILS


def tell(numbers: Numbers, language: Language) -> Words:
    """The words."""
    first, second = numbers["first"], numbers["second"]
    one, whole = numbers["strayed"][0], numbers["strayed"][-1]
    orders, equal = language.count(numbers["orders"]), language.count(numbers["equal"])
    if judge(numbers) == HOLDS:
        sentence = language(
            f"{first} asked after {second} gives bit for bit the answer that it gives alone, and so do all {orders} "
            f"orders tried.",
            f"{first} perguntada depois de {second} dá, bit a bit, a resposta que dá sozinha, e o mesmo vale para "
            f"todas as {orders} ordens testadas.",
        )
    else:
        sentence = language(
            f"An answer depends on what was asked before: only {equal} of {orders} orders gave the answer of a series "
            f"asked alone.",
            f"Uma resposta depende do que foi perguntado antes: só {equal} de {orders} ordens deram a resposta da "
            f"série perguntada sozinha.",
        )
    if one["worst"] > DIGITS:
        sentence += language(
            f" A server that kept h and c and read the newest day alone would give one series the memory of another, "
            f"and prices off by up to {language.percent(one['worst'], 2)}",
            f" Um servidor que guardasse h e c e lesse só o dia mais novo daria a uma série a memória de outra, e "
            f"preços errados em até {language.percent(one['worst'], 2)}",
        )
        sentence += (
            language(
                f"; after all {whole['days']} days it would still be off by up to {language.small(whole['worst'])} of "
                f"the price, no longer the same bits.",
                f"; depois de todos os {whole['days']} dias, o erro ainda seria de até "
                f"{language.small(whole['worst'])} do preço, e os bits já não seriam os mesmos.",
            )
            if whole["worst"] > DIGITS
            else language(
                f"; after all {whole['days']} days nothing of it would be left.",
                f"; depois de todos os {whole['days']} dias, nada disso sobraria.",
            )
        )
    else:
        sentence += language(
            " A server that kept h and c would answer the same: this model's memory is not what decides.",
            " Um servidor que guardasse h e c responderia o mesmo: não é a memória deste modelo que decide.",
        )
    together = language.small(numbers["together_relative"]) if numbers["together_relative"] else "0"
    return Words(
        language("The life of the memory", "A vida da memória"),
        language(
            "h and c are born at zero with each request and die with its answer.",
            "h e c nascem em zero a cada requisição e morrem com a resposta.",
        ),
        sentence,
        language(
            f"The first part asks the code that runs on AWS Lambda (onnxruntime): each series alone, as the first "
            f"request of a new process, and then after each other one. Both series in one request differ from that by "
            f"{together} of the price, as sums of a batch may be taken in another order. The second part is a "
            f"counter-example in PyTorch: the state that one window leaves is carried into another's, and the last "
            f"days of that are read on top of it.",
            f"A primeira parte pergunta ao código que roda na AWS Lambda (onnxruntime): cada série sozinha, como "
            f"primeira requisição de um processo novo, e depois de cada uma das outras. As duas séries numa só "
            f"requisição diferem disso em {together} do preço, pois um lote pode somar em outra ordem. A segunda "
            f"parte é um contraexemplo em PyTorch: o estado que uma janela deixa é levado para outra, e os últimos "
            f"dias desta são lidos sobre ele.",
        ),
        (
            language("days read on a carried state", "dias lidos sobre o estado levado"),
            language("worst, of the price", "pior, do preço"),
            language("median", "mediana"),
        ),
        tuple(
            (
                language.count(line["days"]),
                language.small(line["worst"]),
                language.small(line["median"]),
            )
            for line in numbers["strayed"]
        ),
        language(
            "The more days are read, the less another series' memory is left; starting at zero, none ever comes in.",
            "Quanto mais dias são lidos, menos sobra da memória da outra série; começando em zero, nenhuma chega a "
            "entrar.",
        ),
        language(
            "Relative difference of the forecast by days read on another series' state, on a logarithmic scale",
            "Diferença relativa da previsão por dias lidos sobre o estado de outra série, em escala logarítmica",
        ),
    )


def draw(numbers: Numbers, language: Language) -> Figure:
    """How far off by days read."""
    figure, (axes,) = new_figure(3.5)
    days = [line["days"] for line in numbers["strayed"]]
    for key, line, label in (("worst", "-", ("worst", "pior")), ("median", "--", ("median", "mediana"))):
        values = [max(row[key], 1e-16) for row in numbers["strayed"]]
        axes.plot(days, values, line, color=ACCENT, marker="o", markersize=4, label=language(*label))
    power_ticks(axes)
    axes.set_xlim(0, max(days) + 1)
    axes.set_xlabel(language("days read on the state of another series", "dias lidos sobre o estado de outra série"))
    axes.set_title(language("Forecast off by, relative to the price", "Erro da previsão, relativo ao preço"))
    axes.legend(loc="best")
    return figure
