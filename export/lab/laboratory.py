"""Run the experiments in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from export.errors import InputError
from export.lab import gradient_reach, long_recall, memory_retention, parameter_count, price_forecasts, state_reset
from export.lab.experiment import Experiment, Outcome, Setup

EXPERIMENTS = {
    name: Experiment.of(name, module)
    for name, module in (
        ("parameters", parameter_count),
        ("gradient", gradient_reach),
        ("recall", long_recall),
        ("kept", memory_retention),
        ("prices", price_forecasts),
        ("life", state_reset),
    )
}


def chosen(names: Sequence[str]) -> list[str]:
    """Order the experiments named as the laboratory does; all without a name. Raises `InputError`."""
    for name in names:
        if name not in EXPERIMENTS:
            raise InputError(f"{name!r} is no experiment; there are {', '.join(EXPERIMENTS)}")
    return [name for name in EXPERIMENTS if name in names or not names]


def run(names: Sequence[str], setup: Setup) -> Iterator[Outcome]:
    """Measure and judge one after the other."""
    for name in chosen(names):
        numbers = EXPERIMENTS[name].measure(setup)
        yield Outcome(EXPERIMENTS[name], numbers, EXPERIMENTS[name].judge(numbers))
