"""An experiment: a measurement, a verdict on the guide's claim, and the fields of the texts and the figure for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

from export.data.price_table import Prices
from export.lab.language import Language
from export.training.network import Network

HOLDS, IN_PART, FAILS, OPEN = "holds", "holds in part", "does not hold", "cannot be told"  # verdicts

Numbers = dict[str, Any]  # as results.json holds them
Rows = Sequence[Sequence[str]]
Ask = Callable[[Sequence[Sequence[float]]], NDArray[Any]]  # one request of windows → every number of each answer


@dataclasses.dataclass(frozen=True, eq=False)
class Setup:
    """Inputs of every experiment."""

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
    columns: Sequence[str]
    rows: Rows
    caption: str  # what to see in the figure
    alt: str  # what is drawn, for who can't see it


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One claim of the guide and how it is put to the test; its texts are the section `name` of `texts_*.toml`."""

    name: str  # on the command line too
    measure: Callable[[Setup], Numbers]
    judge: Callable[[Numbers], str]  # the verdict, from the numbers alone
    sentence: Callable[[Numbers], Sequence[str]]  # the keys of the texts that make up the sentence
    fields: Callable[[Numbers, Language], dict[str, Any]]  # of these texts
    rows: Callable[[Numbers, Language], Rows]
    draw: Callable[[Numbers, Language], Figure]

    @classmethod
    def of(cls, name: str, module: Any) -> Experiment:
        """Take the functions of a module of this package."""
        return cls(name, *(getattr(module, field.name) for field in dataclasses.fields(cls)[1:]))

    def tell(self, numbers: Numbers, language: Language) -> Words:
        """Fill in the texts."""
        fields = self.fields(numbers, language)
        texts = {
            key: language.text(f"{self.name}.{key}", **fields) for key in ("title", "claim", "method", "caption", "alt")
        }
        return Words(
            **texts,
            sentence="".join(language.text(f"{self.name}.{key}", **fields) for key in self.sentence(numbers)),
            columns=language.texts[self.name]["columns"],
            rows=self.rows(numbers, language),
        )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """An experiment that has ended."""

    experiment: Experiment
    numbers: Numbers
    verdict: str
