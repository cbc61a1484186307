"""What an experiment is: a measurement, a verdict on the guide's claim, and the words and the figure for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

from export.data.price_table import Prices
from export.lab.language import Language
from export.training.network import Network

HOLDS, IN_PART, FAILS, OPEN = "holds", "holds in part", "does not hold", "cannot be told"
VERDICTS = {
    HOLDS: (HOLDS, "confirma-se"),
    IN_PART: (IN_PART, "confirma-se em parte"),
    FAILS: (FAILS, "não se confirma"),
    OPEN: (OPEN, "não dá para dizer"),
}

Numbers = dict[str, Any]  # as results.json holds them
Ask = Callable[[Sequence[Sequence[float]]], NDArray[Any]]  # one request of windows → every number of each answer


@dataclasses.dataclass(frozen=True, eq=False)
class Setup:
    """What the experiments work with."""

    prices: Prices
    network: Network  # the trained model that is looked into
    serve: Callable[[], Ask]  # starts the deployed code anew, as a cold start does
    seed: int = 0
    fast: bool = False  # small sizes: the same measurements, rougher
    on_progress: Callable[[str, int, int], None] = lambda *_: None


@dataclasses.dataclass(frozen=True)
class Words:
    """An experiment in one language."""

    title: str
    claim: str  # what the guide says
    sentence: str  # what was found
    method: str  # what was measured and how
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str  # what to see in the figure
    alt: str  # what is drawn, for who can't see it


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One claim of the guide and how it is put to the test."""

    measure: Callable[[Setup], Numbers]
    judge: Callable[[Numbers], str]  # one of VERDICTS, from the numbers alone
    tell: Callable[[Numbers, Language], Words]
    draw: Callable[[Numbers, Language], Figure]


def of(module: Any) -> Experiment:
    """The experiment that a file of this package is."""
    return Experiment(module.measure, module.judge, module.tell, module.draw)
