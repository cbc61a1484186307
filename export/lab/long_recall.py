"""A long memory put to the test: recall a value seen k days ago, k up to 60, amid other values."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from export.evaluation.report.style import new_figure, put_legend
from export.lab.cells import Cell, forget_gates, fresh, kept_after
from export.lab.experiment import FAILS, HOLDS, IN_PART, Numbers, Setup, Words
from export.lab.language import Language
from export.lab.style import LABELS, LOOKS, plain_ticks

LONGEST = 60
LAGS = (1, 2, 5, 10, 20, 30, 40, 50, 60)
HIDDEN, BATCH, TESTED = 32, 64, 512
RATES = (1e-2, 3e-3)  # each cell is trained with both, and the better one kept; a fast run tries the first
NEAR = (
    0.1  # of the value, which is between -1 and 1: so near an answer has recalled it; a guess does so one time in ten
)
KEEPS, LOST = 0.9, 0.5  # shares of values recalled that count as memory and as none


def sequences(count: int, lags: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Values in [-1, 1] and a mark on the day to remember, (count, 61, 2), and the marked values (count,)."""
    values = torch.rand(count, LONGEST + 1, generator=generator) * 2 - 1
    rows, days = torch.arange(count), LONGEST - lags
    marks = torch.zeros_like(values)
    marks[rows, days] = 1.0
    return torch.stack([values, marks], dim=-1), values[rows, days]


def recalled(cell: Cell, linear: nn.Linear, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """On fresh sequences, by how many days ago the value was seen: the share recalled, and the correlation."""
    device, generator = linear.weight.device, torch.Generator().manual_seed(10_000 + seed)
    shares, correlations = {}, {}
    for lag in LAGS:
        x, values = sequences(TESTED, torch.full((TESTED,), lag), generator)
        with torch.no_grad():
            answers = linear(cell(x.to(device))[0][:, -1])[:, 0].cpu()
        shares[str(lag)] = float(((answers - values).abs() <= NEAR).float().mean())
        varies = answers.std() > 1e-6
        correlations[str(lag)] = float(np.corrcoef(answers.numpy(), values.numpy())[0, 1]) if varies else 0.0
    return shares, correlations


def trained(name: str, rate: float, steps: int, seed: int) -> tuple[Cell, nn.Linear, float]:
    """A cell and its Linear after `steps` of Adam on mean squared error, and the mean loss of the last tenth.

    Lags are drawn so that each power of two comes up as often: short ones are there to learn from first.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cell = fresh(name, HIDDEN, 1, seed, inputs=2).to(device)
    linear = nn.Linear(HIDDEN, 1).to(device)
    weights = [*cell.parameters(), *linear.parameters()]
    optimizer, generator, losses = torch.optim.Adam(weights, lr=rate), torch.Generator().manual_seed(seed), []
    for _ in range(steps):
        lags = torch.exp(torch.rand(BATCH, generator=generator) * math.log(LONGEST + 1)).long().clamp(1, LONGEST)
        x, values = sequences(BATCH, lags, generator)
        loss = nn.functional.mse_loss(linear(cell(x.to(device))[0][:, -1])[:, 0], values.to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return cell, linear, sum(losses[-max(steps // 10, 1) :]) / max(steps // 10, 1)


@functools.lru_cache(maxsize=16)  # what is kept over 50 days is looked up in a cell that this has trained
def better(name: str, fast: bool, seed: int) -> tuple[Cell, nn.Linear, float]:
    """The cell of the better learning rate, its Linear, and that rate."""
    tries = [(*trained(name, rate, steps_of(fast), seed), rate) for rate in rates_of(fast)]
    cell, linear, _, rate = min(tries, key=lambda one: one[2])
    return cell, linear, rate


def rates_of(fast: bool) -> tuple[float, ...]:
    """The learning rates that are tried."""
    return RATES[:1] if fast else RATES


def steps_of(fast: bool) -> int:
    """How long a training is."""
    return 400 if fast else 1000


def measure(setup: Setup) -> Numbers:
    """The share recalled and the correlation by lag of each cell and seed; what trained LSTMs keep over 50 days."""
    seeds = 1 if setup.fast else 3
    shares: dict[str, list[dict[str, float]]] = {name: [] for name in LABELS}
    correlations: dict[str, list[dict[str, float]]] = {name: [] for name in LABELS}
    rates: dict[str, list[float]] = {name: [] for name in LABELS}
    kept, done = [], 0
    for name in LABELS:
        for seed in range(setup.seed, setup.seed + seeds):
            cell, linear, rate = better(name, setup.fast, seed)
            done += 1
            setup.on_progress(f"recall, {LABELS[name]}", done, len(LABELS) * seeds)
            for kept_in, by_lag in zip((shares, correlations), recalled(cell, linear, seed), strict=True):
                kept_in[name].append(by_lag)
            rates[name].append(rate)
            if isinstance(cell, nn.LSTM):
                kept.append(_kept(cell, seed))
    return {
        "steps": steps_of(setup.fast),
        "tried": list(rates_of(setup.fast)),
        "seeds": seeds,
        "recalled": shares,
        "correlations": correlations,
        "rates": rates,
        "lstm_kept_50": kept,
    }


def _kept(lstm: nn.LSTM, seed: int) -> dict[str, float]:
    """What its forget gates leave after 50 days of the value seen before: of the mean unit, and of the best one."""
    x, _ = sequences(64, torch.full((64,), LONGEST), torch.Generator().manual_seed(20_000 + seed))
    units = kept_after(forget_gates(lstm, x.to(next(lstm.parameters()).device))[0], 50).mean(dim=0)
    return {"mean": float(units.mean()), "best": float(units.max())}


def middle(numbers: Numbers, name: str, lag: int, what: str = "recalled") -> float:
    """The median over the seeds of the share recalled, or of the correlations."""
    return float(np.median([run[str(lag)] for run in numbers[what][name]]))


def reach(numbers: Numbers, name: str) -> int:
    """The longest lag up to which nearly all values are recalled, in the median over the seeds; 0 where none is."""
    found = 0
    for lag in LAGS:
        if middle(numbers, name, lag) < KEEPS:
            break
        found = lag
    return found


def judge(numbers: Numbers) -> str:
    """The LSTM recalls at every lag, and the simple RNN no longer does at the longest."""
    holds, fails = reach(numbers, "lstm") == LONGEST, middle(numbers, "rnn", LONGEST) < LOST
    if holds and fails:
        return HOLDS
    return IN_PART if reach(numbers, "lstm") > reach(numbers, "rnn") else FAILS


def tell(numbers: Numbers, language: Language) -> Words:
    """The words."""
    at = {name: language.percent(middle(numbers, name, LONGEST), 0) for name in LABELS}
    traces = language.listed([language.fixed(middle(numbers, name, LONGEST, "correlations"), 2) for name in LABELS])
    far = {name: reach(numbers, name) for name in LABELS}
    numbers_at = language(
        f"by the RNN in {at['rnn']} of cases, by the GRU in {at['gru']} and by the LSTM in {at['lstm']} (correlations: "
        f"{traces})",
        f"pela RNN em {at['rnn']} dos casos, pela GRU em {at['gru']} e pela LSTM em {at['lstm']} (correlações: "
        f"{traces})",
    )
    sentence = language(
        f"A value seen {LONGEST} days ago is recalled {numbers_at}",
        f"Um valor visto há {LONGEST} dias é lembrado {numbers_at}",
    )
    found = judge(numbers)
    if found == HOLDS:
        sentence += language(
            f": the LSTM holds it, and the RNN, which recalls nearly all of them {_days(far['rnn'], language)}, does "
            f"not.",
            f": a LSTM o guarda, e a RNN, que se lembra de quase todos {_days(far['rnn'], language)}, não.",
        )
    elif found == IN_PART and far["lstm"] == LONGEST:
        sentence += language(
            f": the LSTM holds it; the RNN recalls nearly all {_days(far['rnn'], language)}, and fails later than "
            f"said.",
            f": a LSTM o guarda; a RNN se lembra de quase tudo {_days(far['rnn'], language)}, e falha mais tarde do "
            f"que se diz.",
        )
    elif found == IN_PART:
        sentence += language(
            f": the LSTM recalls nearly all {_days(far['lstm'], language)} and the RNN {_days(far['rnn'], language)}, "
            f"so the LSTM reaches farther, if not as far as said.",
            f": a LSTM se lembra de quase todos {_days(far['lstm'], language)} e a RNN {_days(far['rnn'], language)}; "
            f"a LSTM vai mais longe, mas não tanto quanto se diz.",
        )
    else:
        sentence += language(
            f": the LSTM recalls nearly all {_days(far['lstm'], language)} and the RNN {_days(far['rnn'], language)}, "
            f"and no longer memory of the LSTM's shows.",
            f": a LSTM se lembra de quase todos {_days(far['lstm'], language)} e a RNN {_days(far['rnn'], language)}, "
            f"e não aparece memória mais longa na LSTM.",
        )
    kept = language.percent(float(np.median([one["best"] for one in numbers["lstm_kept_50"]])))
    rows = tuple(
        (
            language(f"{lag} days ago" if lag > 1 else "1 day ago", f"há {lag} dias" if lag > 1 else "há 1 dia"),
            *(_with_spread(numbers, name, lag, language) for name in LABELS),
            *(language.fixed(middle(numbers, name, lag, "correlations"), 2) for name in LABELS),
        )
        for lag in LAGS
    )
    tried = language.listed([language.small(rate) for rate in numbers["tried"]])
    seeds, steps = language.count(numbers["seeds"]), language.count(numbers["steps"])
    return Words(
        language("A long memory", "Memória longa"),
        language(
            "An LSTM can remember over 60 days what a simple RNN forgets.",
            "Uma LSTM consegue lembrar por 60 dias o que uma RNN simples esquece.",
        ),
        sentence,
        language(
            f"Sixty-one days of random values, one of them marked; on the last day the marked value is asked for. One "
            f"layer of {HIDDEN} units, as PyTorch initialises it, {steps} steps of Adam on batches of {BATCH}, "
            f"learning rates tried: {tried}, the best kept; seeds: {seeds}. Recalled is an answer within 0.1 of a "
            f"value between −1 and 1; the correlation shows what blurred trace is left of the others. Both are "
            f"medians over the seeds, with the range in brackets, on {TESTED} new sequences a lag. In the LSTMs "
            f"trained so, the best unit keeps {kept} of its cell over 50 days.",
            f"Sessenta e um dias de valores aleatórios, um deles marcado; no último dia, pergunta-se o valor marcado. "
            f"Uma camada de {HIDDEN} unidades, como o PyTorch a inicializa, {steps} passos de Adam em lotes de "
            f"{BATCH}, taxas de aprendizado testadas: {tried}, mantida a melhor; sementes: {seeds}. Lembrado é o "
            f"valor, entre −1 e 1, que volta com erro de até 0,1; a correlação mostra que vestígio borrado resta dos "
            f"outros. Ambos são medianas das sementes, com a amplitude entre parênteses, em {TESTED} sequências novas "
            f"por distância. Nas LSTMs assim treinadas, a melhor unidade conserva {kept} da sua célula por 50 dias.",
        ),
        (
            language("value seen", "valor visto"),
            *LABELS.values(),
            *(language(f"corr. {label}", f"corr. {label}") for label in LABELS.values()),
        ),
        rows,
        language(
            "How many values come back to within 0.1, by how long ago they were seen; a guess does one time in ten. "
            "Lines are medians over the seeds, bands their range.",
            "Quantos valores voltam com erro de até 0,1, conforme há quanto tempo foram vistos; um palpite acerta uma "
            "vez em dez. As linhas são medianas das sementes, e as faixas, a amplitude.",
        ),
        language(
            "Share of values recalled by days ago, one line a cell",
            "Parte dos valores lembrada, por dias atrás, uma linha por célula",
        ),
    )


def _days(lag: int, language: Language) -> str:
    if not lag:
        return language("at no distance", "a nenhuma distância")
    return language(f"up to {lag} day{'s' if lag > 1 else ''}", f"até {lag} dia{'s' if lag > 1 else ''}")


def _with_spread(numbers: Numbers, name: str, lag: int, language: Language) -> str:
    values = [run[str(lag)] for run in numbers["recalled"][name]]
    shown = [language.percent(value, 0) for value in (middle(numbers, name, lag), min(values), max(values))]
    return shown[0] if shown[1] == shown[2] else f"{shown[0]} ({shown[1].removesuffix('%')}–{shown[2]})"


def draw(numbers: Numbers, language: Language) -> Figure:
    """Correlation by lag, one line and band a cell."""
    figure, (axes,) = new_figure(3.9)
    for name, (colour, marker) in LOOKS.items():
        runs = 100 * np.array([[run[str(lag)] for lag in LAGS] for run in numbers["recalled"][name]])  # (seeds, lags)
        axes.fill_between(LAGS, runs.min(axis=0), runs.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        axes.plot(LAGS, np.median(runs, axis=0), color=colour, marker=marker, markersize=5, label=LABELS[name])
    axes.set_ylim(0, 105)
    plain_ticks(axes, language)
    axes.set_xlabel(language("days since the value was seen", "dias desde que o valor foi visto"))
    axes.set_title(language("Values recalled, %", "Valores lembrados, %"))
    put_legend(figure, axes)
    return figure
