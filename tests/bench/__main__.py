"""`make bench`: prints every figure with its floor. Real prices where EFEMERA_DATA names them, else the demo's."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from export.data.demo import demo_prices
from export.data.prices import Prices, read_prices
from tests.bench import (
    batch,
    container,
    designs,
    evaluation,
    explain,
    graph,
    market,
    memory,
    package,
    proof,
    start,
    training,
    warm,
)
from tests.bench.measure import figures

MODELS = Path(__file__).parent.parent.parent / "models"


def main() -> None:
    """Measure, print."""
    os.environ["EFEMERA_MODELS"] = str(MODELS)  # for every process that starts below
    console = Console(width=110)
    prices, words = _prices()
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {words}\n")

    parity = Table(title="parity: worst difference of any two implementations", title_justify="left")
    for name in ("batch", "windows", "price", "relative", "log return", "relative", "of the tolerance"):
        parity.add_column(name, justify="right")
    for row in proof.parity_rows(MODELS, prices):
        parity.add_row(*row)
    console.print(parity)
    console.print("'all' adds random walks, adversarial windows and the stirred Linear")
    console.print(f"scale law: worst relative deviation {proof.scale_law(MODELS):.1e} for prices × 1e-6 … 1e6\n")

    with tempfile.TemporaryDirectory() as scratch:
        figures("speed and size", _rows(prices, Path(scratch)))
        print("measuring what the cost sheet rests on", flush=True)
        from tests.bench import cost  # no sooner: it imports much, boto3 and moto, into the process that timed the API

        for part in cost.report(Path(scratch)):
            console.print(part)


def _rows(prices: Prices, scratch: Path) -> Iterator[tuple[str, ...]]:
    for name, rows in _measured(prices, scratch):
        print(f"measuring {name}, A B A B …", flush=True)  # no spinner: its thread would take part in what is timed
        yield from rows


def _measured(prices: Prices, scratch: Path) -> Iterator[tuple[str, Iterable[tuple[str, ...]]]]:
    """Title of a measurement, and its rows."""
    yield "the graph", graph.rows(MODELS)
    yield "a warm process", warm.rows()
    yield "an explanation", explain.rows(MODELS, prices)
    yield "a process that starts", start.rows(MODELS)
    yield "the same API of other parts", designs.rows()
    yield "memory", memory.rows(MODELS, scratch)
    yield "training", training.rows(prices)
    yield "market data", market.rows(scratch)
    yield "batch", batch.rows(MODELS, scratch)
    yield "evaluation", evaluation.rows(scratch)
    built = scratch / "package"
    said = package.build(built)
    yield "the package", package.rows(built, said, scratch)
    yield "the package in Lambda's image", container.rows(MODELS, built, said, scratch)


def _prices() -> tuple[Prices, str]:
    folder = os.environ.get("EFEMERA_DATA")
    if not folder:
        return demo_prices(), "the demo's prices (EFEMERA_DATA is not set)"
    return read_prices([Path(folder) / "prices.csv.gz"], minimum=65), "real prices"


main()
