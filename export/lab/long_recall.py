"""Recall of a value seen k days ago, k up to 60, amid other values."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from export.evaluation.report.style import new_figure, put_legend
from export.lab.cells import Cell, forget_gates, fresh, kept_after
from export.lab.experiment import FAILS, HOLDS, IN_PART, Numbers, Setup
from export.lab.language import Language
from export.lab.style import LABELS, LOOKS, plain_ticks

LONGEST = 60
LAGS = (1, 2, 5, 10, 20, 30, 40, 50, 60)
HIDDEN, BATCH, TESTED = 32, 64, 512
RATES = (1e-2, 3e-3)  # each cell is trained with both, and the better one kept; a fast run tries the first
NEAR = 0.1  # of the value, between -1 and 1: so near an answer has recalled it; a guess does so one time in ten
KEEPS, LOST = 0.9, 0.5  # shares of values recalled that count as memory and as none


def sequences(count: int, lags: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw values in [-1, 1] and a mark on the day to remember, (count, 61, 2), and the marked values (count,)."""
    values = torch.rand(count, LONGEST + 1, generator=generator) * 2 - 1
    rows, days = torch.arange(count), LONGEST - lags
    marks = torch.zeros_like(values)
    marks[rows, days] = 1.0
    return torch.stack([values, marks], dim=-1), values[rows, days]


def recalled(cell: Cell, linear: nn.Linear, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """Test on fresh sequences, by lag in days: the share of values recalled, and the correlation."""
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
    """Train a cell and its Linear by `steps` of Adam on mean squared error; both, and the mean loss of the last tenth.

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
    """Train with each learning rate and keep the better: the cell, its Linear, and that rate."""
    tries = [(*trained(name, rate, steps_of(fast), seed), rate) for rate in rates_of(fast)]
    cell, linear, _, rate = min(tries, key=lambda one: one[2])
    return cell, linear, rate


def rates_of(fast: bool) -> tuple[float, ...]:
    """List the learning rates that are tried."""
    return RATES[:1] if fast else RATES


def steps_of(fast: bool) -> int:
    """Count the steps of a training."""
    return 400 if fast else 1000


def measure(setup: Setup) -> Numbers:
    """Measure recall and correlation by lag of each cell and seed, and what trained LSTMs keep over 50 days."""
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
    """Measure what its forget gates leave after 50 days of the value seen before, of the mean unit and of the best."""
    x, _ = sequences(64, torch.full((64,), LONGEST), torch.Generator().manual_seed(20_000 + seed))
    units = kept_after(forget_gates(lstm, x.to(next(lstm.parameters()).device))[0], 50).mean(dim=0)
    return {"mean": float(units.mean()), "best": float(units.max())}


def middle(numbers: Numbers, name: str, lag: int, what: str = "recalled") -> float:
    """Compute the median over the seeds of the share recalled, or of the correlations."""
    return float(np.median([run[str(lag)] for run in numbers[what][name]]))


def reach(numbers: Numbers, name: str) -> int:
    """Find the longest lag up to which nearly all values are recalled, in the median over the seeds; or 0."""
    longest = 0
    for lag in LAGS:
        if middle(numbers, name, lag) < KEEPS:
            break
        longest = lag
    return longest


def judge(numbers: Numbers) -> str:
    """Judge whether the LSTM recalls at every lag, and the simple RNN no longer at the longest."""
    holds, fails = reach(numbers, "lstm") == LONGEST, middle(numbers, "rnn", LONGEST) < LOST
    if holds and fails:
        return HOLDS
    return IN_PART if reach(numbers, "lstm") > reach(numbers, "rnn") else FAILS


def sentence(numbers: Numbers) -> list[str]:
    """Name the texts of the sentence."""
    verdict = judge(numbers)
    if verdict == IN_PART:
        verdict = "rnn_fails_later" if reach(numbers, "lstm") == LONGEST else "lstm_reaches_farther"
    return ["start", verdict]


def fields(numbers: Numbers, language: Language) -> dict[str, Any]:
    """Compute the fields of the texts."""
    return {
        **numbers,
        "longest": LONGEST, "hidden": HIDDEN, "batch": BATCH, "tested": TESTED,
        "at": {name: middle(numbers, name, LONGEST) for name in LABELS},
        "traces": {name: middle(numbers, name, LONGEST, "correlations") for name in LABELS},
        "rnn_reach": _by_lag("recall.reach", reach(numbers, "rnn"), language),
        "lstm_reach": _by_lag("recall.reach", reach(numbers, "lstm"), language),
        "kept": float(np.median([one["best"] for one in numbers["lstm_kept_50"]])),
        "rates_tried": language.listed([language.small(rate) for rate in numbers["tried"]]),
    }  # fmt: skip


def rows(numbers: Numbers, language: Language) -> list[list[str]]:
    """Build a row a lag: shares recalled and correlations, a column each a cell."""
    return [
        [
            _by_lag("recall.row", lag, language),
            *(_with_spread(numbers, name, lag, language) for name in LABELS),
            *(language.number(middle(numbers, name, lag, "correlations"), ".2f") for name in LABELS),
        ]
        for lag in LAGS
    ]


def _by_lag(key: str, lag: int, language: Language) -> str:
    if not lag:
        return language.text("recall.no_reach")
    return language.text(key if lag > 1 else f"{key}_1", lag=lag)


def _with_spread(numbers: Numbers, name: str, lag: int, language: Language) -> str:
    values = [run[str(lag)] for run in numbers["recalled"][name]]
    shown = [language.number(value, ".0%") for value in (middle(numbers, name, lag), min(values), max(values))]
    return shown[0] if shown[1] == shown[2] else f"{shown[0]} ({shown[1].removesuffix('%')}–{shown[2]})"


def draw(numbers: Numbers, language: Language) -> Figure:
    """Draw the share recalled by lag, one line and band a cell."""
    figure, (axes,) = new_figure(3.9)
    for name, (colour, marker) in LOOKS.items():
        runs = 100 * np.array([[run[str(lag)] for lag in LAGS] for run in numbers["recalled"][name]])  # (seeds, lags)
        axes.fill_between(LAGS, runs.min(axis=0), runs.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        axes.plot(LAGS, np.median(runs, axis=0), color=colour, marker=marker, markersize=5, label=LABELS[name])
    axes.set_ylim(0, 105)
    plain_ticks(axes, language)
    axes.set_xlabel(language.text("recall.axis"))
    axes.set_title(language.text("recall.plot"))
    put_legend(figure, axes)
    return figure
