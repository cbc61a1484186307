"""State reset: h and c start at zero for each request, and a counter-example in which they do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from export.evaluation.report.style import new_figure
from export.forecast_plot import ACCENT
from export.lab.experiment import FAILS, HOLDS, Numbers, Setup
from export.lab.language import Language
from export.lab.memory_retention import windows_of
from export.lab.style import power_ticks
from export.training.network import Network

READ = (1, 2, 3, 5, 10, 20, 30, 40, 50, 60)  # days that a server with a memory would read of a request
FIRST, SECOND = "PETR4", "VALE3"  # the guide's own, where the prices have them
DIGITS = 1e-12  # below, a difference is none


def with_memory(network: Network, windows: Tensor, state: Any, days: int) -> tuple[Tensor, Any]:
    """Forecast when the last `days` of each window are read on top of a state: (count, horizon, quantiles) and the new
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
    """Measure how far answers stray when the state of another series' window is carried into a request, by days read.

    Against the same days read on the request's own state, or from zero where all of them are read: the largest and the
    median relative difference of the price quantiles.
    """
    network.eval()
    window = network.config.window
    _, own = with_memory(network, windows, None, window)
    other = _rolled(own)
    by_days = []
    for days in sorted({min(days, window) for days in READ} | {window}):
        right, _ = with_memory(network, windows, None if days == window else own, days)
        wrong, _ = with_memory(network, windows, other, days)
        off = ((wrong - right).abs() / right).amax(dim=(1, 2))  # (count,)
        by_days.append({"days": days, "worst": float(off.max()), "median": float(off.median())})
    return by_days


def _rolled(state: Any) -> Any:
    """Give each window the state of one half the table away: windows stand by series, so of another series."""
    if isinstance(state, tuple):
        return tuple(_rolled(part) for part in state)
    return state.roll(state.shape[1] // 2, dims=1).contiguous()


def measure(setup: Setup) -> Numbers:
    """Compare the deployed code asked alone and after others, bit for bit; measure the counter-example in PyTorch."""
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
    """Judge: not one answer may depend on what was asked before."""
    return HOLDS if numbers["pair_equal"] and numbers["equal"] == numbers["orders"] else FAILS


def sentence(numbers: Numbers) -> list[str]:
    """Name the texts of the sentence."""
    newest, whole = numbers["strayed"][0], numbers["strayed"][-1]
    if newest["worst"] <= DIGITS:
        return [judge(numbers), "no_memory"]
    return [judge(numbers), "memory", "still_off" if whole["worst"] > DIGITS else "nothing_left"]


def fields(numbers: Numbers, _language: Language) -> dict[str, Any]:
    """Compute the fields of the texts."""
    return {**numbers, "newest": numbers["strayed"][0], "whole": numbers["strayed"][-1]}


def rows(numbers: Numbers, language: Language) -> list[list[str]]:
    """Build a row for each number of days read."""
    return [
        [language.number(line["days"], ","), language.small(line["worst"]), language.small(line["median"])]
        for line in numbers["strayed"]
    ]


def draw(numbers: Numbers, language: Language) -> Figure:
    """Draw how far off forecasts are by days read."""
    figure, (axes,) = new_figure(3.5)
    days = [line["days"] for line in numbers["strayed"]]
    for key, line in (("worst", "-"), ("median", "--")):
        values = [max(row[key], 1e-16) for row in numbers["strayed"]]
        axes.plot(days, values, line, color=ACCENT, marker="o", markersize=4, label=language.text(f"life.{key}"))
    power_ticks(axes)
    axes.set_xlim(0, max(days) + 1)
    axes.set_xlabel(language.text("life.axis"))
    axes.set_title(language.text("life.plot"))
    axes.legend(loc="best")
    return figure
