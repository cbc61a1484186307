"""Reach of the gradient, 1 to 100 days back, measured by autograd in fresh cells and in the trained LSTM."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.figure import Figure

from export.evaluation.report.style import DOTTED, new_figure, put_legend
from export.forecast_plot import MUTED
from export.lab.cells import Cell, fresh
from export.lab.experiment import FAILS, HOLDS, IN_PART, Numbers, Setup
from export.lab.language import Language
from export.lab.style import LOOKS, power_ticks

LAGS = 100
GUIDE = 0.8  # the factor a day of the guide's argument
HIDDEN, LAYERS = 50, 2  # the guide's
SHOWN = (1, 10, 50, 100)  # lags of the table
GONE, THERE = 1e-6, 1e-3  # of the gradient one day back: lost to float32 training, and plainly of use
STYLES = {
    "rnn": (LOOKS["rnn"][0], "-"),
    "gru": (LOOKS["gru"][0], "-"),
    "lstm": (LOOKS["lstm"][0], "-"),
    "lstm bias 1": ("#d97941", "--"),
    "lstm bias 2": ("#e2a33b", "--"),
    "trained": ("#5f7f1f", "-."),
}


def by_lag(cell: Cell, x: torch.Tensor, lags: int) -> list[float]:
    """Compute ‖∂h_T / ∂x_{T-k}‖ for k = 0 … `lags`, a geometric mean over the sequences x (batch, days, inputs).

    h_T is the last hidden state of the last layer. In float64, where what float32 rounds to zero still shows.
    """
    cell, hidden = cell.double(), cell.hidden_size
    copies = x.double().repeat_interleave(hidden, dim=0).requires_grad_()  # one for each unit of h
    last = cell(copies)[0][:, -1]  # (batch × hidden, hidden)
    each = torch.eye(hidden, dtype=torch.float64, device=x.device).repeat(len(x), 1)
    (slopes,) = torch.autograd.grad(last, copies, each)  # (batch × hidden, days, inputs)
    jacobians = slopes.reshape(len(x), hidden, x.shape[1], -1).flip(2)  # (batch, hidden, days back, inputs)
    norms = jacobians.square().sum(dim=(1, 3)).sqrt()[:, : lags + 1]  # (batch, lags + 1)
    return [float(value) for value in norms.log().mean(dim=0).exp()]


def measure(setup: Setup) -> Numbers:
    """Measure the gradient's norm by lag of each cell, over several initialisations."""
    seeds, sequences = (1, 2) if setup.fast else (4, 6)
    makers = {name: {"name": name} for name in ("rnn", "gru", "lstm")}
    makers |= {f"lstm bias {bias}": {"name": "lstm", "forget_bias": float(bias)} for bias in (1, 2)}  # type: ignore[dict-item]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x = torch.randn(sequences, LAGS + 61, 1, generator=torch.Generator().manual_seed(setup.seed)).to(device)
    norms = {}
    for done, (label, options) in enumerate(makers.items(), start=1):
        runs = [
            by_lag(fresh(hidden=HIDDEN, layers=LAYERS, seed=setup.seed + turn, **options).to(device), x, LAGS)  # type: ignore[arg-type]
            for turn in range(seeds)
        ]
        norms[label] = torch.tensor(runs, dtype=torch.float64).log().mean(dim=0).exp().tolist()
        setup.on_progress("gradient", done, len(makers) + 1)
    if isinstance(setup.network.lstm, torch.nn.LSTM):
        trained = torch.nn.LSTM(1, setup.network.config.hidden_size, setup.network.config.layers, batch_first=True)
        trained.load_state_dict(setup.network.lstm.state_dict())
        norms["trained"] = by_lag(trained.to(device), x, LAGS)
    setup.on_progress("gradient", len(makers) + 1, len(makers) + 1)
    return {
        "norms": norms,
        "left": {name: values[LAGS] / values[1] for name, values in norms.items()},
        "factor": {name: (values[LAGS] / values[1]) ** (1 / (LAGS - 1)) for name, values in norms.items()},
        "guide": {"factor": GUIDE, "after_100": GUIDE**LAGS},
    }


def judge(numbers: Numbers) -> str:
    """Judge both halves of the claim: the simple RNN's gradient is lost after 100 days, the LSTM's is not."""
    left = numbers["left"]
    lost = left["rnn"] < GONE
    open_gate = max(value for name, value in left.items() if name.startswith("lstm bias"))
    if lost and left["lstm"] >= THERE:
        return HOLDS
    if lost and max(open_gate, left.get("trained", 0.0)) >= THERE:
        return IN_PART
    return FAILS


def sentence(numbers: Numbers) -> list[str]:
    """Name the texts of the sentence."""
    return ["start", judge(numbers), *(["trained"] if "trained" in numbers["left"] else [])]


def fields(numbers: Numbers, _language: Language) -> dict[str, Any]:
    """Compute the fields of the texts."""
    return numbers


def rows(numbers: Numbers, language: Language) -> list[list[str]]:
    """Build a row a cell: the norm at the lags shown, and the mean factor a day."""
    return [
        [
            language.text(f"gradient.cells.{name}"),
            *(language.small(values[lag]) for lag in SHOWN),
            language.number(numbers["factor"][name], ".3f"),
        ]
        for name, values in numbers["norms"].items()
    ]


def draw(numbers: Numbers, language: Language) -> Figure:
    """Draw the norm by lag relative to one day back, one line a cell."""
    figure, (axes,) = new_figure(4.6)
    for name, values in numbers["norms"].items():
        colour, line = STYLES[name]
        axes.plot(
            range(1, LAGS + 1), [value / values[1] for value in values[1:]],
            color=colour, linestyle=line, linewidth=1.7, label=language.text(f"gradient.cells.{name}"),
        )  # fmt: skip
    axes.plot(
        [1, LAGS], [1, GUIDE ** (LAGS - 1)],
        color=MUTED, linewidth=1.2, linestyle=DOTTED, label=language.text("gradient.guide"),
    )  # fmt: skip
    power_ticks(axes)
    axes.set_xlim(0, LAGS)
    axes.set_xlabel(language.text("gradient.axis"))
    axes.set_title(language.text("gradient.plot"))
    put_legend(figure, axes, 2)
    return figure
