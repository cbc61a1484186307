"""How far back the gradient reaches, 1 to 100 days, measured by autograd in fresh cells and in the trained LSTM."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from export.evaluation.report.style import DOTTED, new_figure, put_legend
from export.forecast_plot import MUTED
from export.lab.cells import Cell, fresh
from export.lab.experiment import FAILS, HOLDS, IN_PART, Numbers, Setup, Words
from export.lab.language import Language
from export.lab.style import LOOKS, power_ticks

LAGS = 100
GUIDE = 0.8  # the factor a day of the guide's argument
HIDDEN, LAYERS = 50, 2  # the guide's
SHOWN = (1, 10, 50, 100)
GONE, THERE = 1e-6, 1e-3  # of the gradient one day back: lost to float32 training, and plainly of use
NAMES = {  # of what is measured
    "rnn": ("RNN, fresh", "RNN, recém-criada"),
    "gru": ("GRU, fresh", "GRU, recém-criada"),
    "lstm": ("LSTM, fresh", "LSTM, recém-criada"),
    "lstm bias 1": ("LSTM, forget bias 1", "LSTM, viés de esquecimento 1"),
    "lstm bias 2": ("LSTM, forget bias 2", "LSTM, viés de esquecimento 2"),
    "trained": ("the trained model", "o modelo treinado"),
}
STYLES = {
    "rnn": (LOOKS["rnn"][0], "-"),
    "gru": (LOOKS["gru"][0], "-"),
    "lstm": (LOOKS["lstm"][0], "-"),
    "lstm bias 1": ("#d97941", "--"),
    "lstm bias 2": ("#e2a33b", "--"),
    "trained": ("#5f7f1f", "-."),
}


def by_lag(cell: Cell, x: torch.Tensor, lags: int) -> list[float]:
    """‖∂h_T / ∂x_{T-k}‖ for k = 0 … `lags`, a geometric mean over the sequences x (batch, days, inputs).

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
    """The gradient's norm by lag of each cell, over several initialisations."""
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
    """The claim has two halves: the simple RNN's gradient is lost after 100 days, the LSTM's is not."""
    left = numbers["left"]
    lost = left["rnn"] < GONE
    open_gate = max(value for name, value in left.items() if name.startswith("lstm bias"))
    if lost and left["lstm"] >= THERE:
        return HOLDS
    if lost and max(open_gate, left.get("trained", 0.0)) >= THERE:
        return IN_PART
    return FAILS


def tell(numbers: Numbers, language: Language) -> Words:
    """The words."""
    left = {name: language.small(value) for name, value in numbers["left"].items()}
    guide = language.small(numbers["guide"]["after_100"])
    factor = language.fixed(numbers["factor"]["rnn"], 2)
    start = language(
        f"From one day back to 100 the gradient of a fresh RNN shrinks to {left['rnn']} of itself, a factor of "
        f"{factor} a day (the guide's argument, 0.8 to the power of 100, is {guide})",
        f"De um dia para 100 dias atrás, o gradiente de uma RNN recém-criada encolhe para {left['rnn']} do que era, "
        f"um fator de {factor} por dia (a conta do guia, 0,8 elevado a 100, dá {guide})",
    )
    found = judge(numbers)
    if found == HOLDS:
        end = language(
            f", and that of a fresh LSTM to {left['lstm']}.", f", e o de uma LSTM recém-criada, para {left['lstm']}."
        )
    elif found == IN_PART:
        end = language(
            f", and that of a fresh LSTM to {left['lstm']}: the cell alone saves nothing. A forget gate that starts "
            f"open does: with a forget bias of 2, {left['lstm bias 2']} is left.",
            f", e o de uma LSTM recém-criada, para {left['lstm']}: a célula por si só não salva nada. Quem salva é a "
            f"porta de esquecimento que começa aberta: com viés de esquecimento 2, sobra {left['lstm bias 2']}.",
        )
    else:
        end = language(
            f", that of a fresh LSTM to {left['lstm']}, and with a forget bias of 2 to {left['lstm bias 2']}: the "
            f"claim is not what is measured here.",
            f", o de uma LSTM recém-criada, para {left['lstm']}, e com viés de esquecimento 2, para "
            f"{left['lstm bias 2']}: não é o que se mede aqui.",
        )
    if "trained" in left:
        end += language(
            f" In the model trained on prices {left['trained']} is left.",
            f" No modelo treinado com preços, sobra {left['trained']}.",
        )
    rows = tuple(
        (
            language(*NAMES[name]),
            *(language.small(values[lag]) for lag in SHOWN),
            language.fixed(numbers["factor"][name], 3),
        )
        for name, values in numbers["norms"].items()
    )
    return Words(
        language("The gradient's way back", "O caminho de volta do gradiente"),
        language(
            "In a simple RNN the gradient vanishes on its way back (0.8 a day leaves 2 × 10⁻¹⁰ after 100 days); "
            "in an LSTM it survives.",
            "Numa RNN simples, o gradiente some no caminho de volta (0,8 por dia deixa 2 × 10⁻¹⁰ depois de 100 dias); "
            "numa LSTM, ele sobrevive.",
        ),
        start + end,
        language(
            "Measured is the norm of ∂h(T) / ∂x(T − k), by autograd in float64, on standard normal inputs, in two "
            "layers of 50 units as PyTorch initialises them: a geometric mean over initialisations and sequences. A "
            "forget bias is added before training; PyTorch's own is about 0, which leaves that gate half closed.",
            "Mede-se a norma de ∂h(T) / ∂x(T − k), por autograd em float64, com entradas normais padrão, em duas "
            "camadas de 50 unidades como o PyTorch as inicializa: média geométrica sobre inicializações e sequências. "
            "O viés de esquecimento é posto antes do treino; o do PyTorch fica perto de 0, o que deixa a porta meio "
            "fechada.",
        ),
        (
            language("cell", "célula"),
            *(language(f"{lag} back", f"{lag} atrás") for lag in SHOWN),
            language("factor a day", "fator por dia"),
        ),
        rows,
        language(
            "A straight line loses the same factor every day; only lines that level off carry anything over 100 days.",
            "Uma linha reta perde o mesmo fator a cada dia; só as linhas que se deitam levam algo por 100 dias.",
        ),
        language(
            "Norm of the gradient by days back, on a logarithmic scale, one line a cell, and the guide's 0.8 to the "
            "power k",
            "Norma do gradiente por dias atrás, em escala logarítmica, uma linha por célula, e o 0,8 elevado a k do "
            "guia",
        ),
    )


def draw(numbers: Numbers, language: Language) -> Figure:
    """Norm by lag relative to one day back, one line a cell."""
    figure, (axes,) = new_figure(4.6)
    for name, values in numbers["norms"].items():
        colour, line = STYLES[name]
        axes.plot(
            range(1, LAGS + 1), [value / values[1] for value in values[1:]],
            color=colour, linestyle=line, linewidth=1.7, label=language(*NAMES[name]),
        )  # fmt: skip
    axes.plot(
        [1, LAGS], [1, GUIDE ** (LAGS - 1)],
        color=MUTED, linewidth=1.2, linestyle=DOTTED, label=language("the guide's 0.8 a day", "0,8 por dia, do guia"),
    )  # fmt: skip
    power_ticks(axes)
    axes.set_xlim(0, LAGS)
    axes.set_xlabel(language("days back", "dias atrás"))
    axes.set_title(language("Gradient left, one day back = 1", "Gradiente que sobra, um dia atrás = 1"))
    put_legend(figure, axes, 2)
    return figure
