"""`make bench`: prints every figure with its floor. Real prices where EFEMERA_DATA names them, else the demo's."""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from export.data.prices import Prices, read_prices
from export.demo_data import demo_prices
from tests.bench import graph, market, package, proof, serving, training

MODELS = Path(__file__).parent.parent.parent / "models"


def main() -> None:
    """Measure, print."""
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

    figures = Table(title="speed and size", title_justify="left")
    for name in ("what", "Efemera", "against", "its figure", "ratio", "to reach"):
        figures.add_column(name, justify="left" if name in ("what", "against") else "right")
    with tempfile.TemporaryDirectory() as scratch, console.status("measuring, A B A B …"):
        for rows in (
            graph.rows(MODELS),
            serving.rows(MODELS, Path(scratch)),
            training.rows(prices),
            market.rows(Path(scratch)),
            package.rows(Path(scratch)),
        ):
            for row in rows:
                figures.add_row(*row)
    console.print(figures)


def _prices() -> tuple[Prices, str]:
    folder = os.environ.get("EFEMERA_DATA")
    if not folder:
        return demo_prices(), "the demo's prices (EFEMERA_DATA is not set)"
    return read_prices([Path(folder) / "prices.csv.gz"], minimum=65), "real prices"


main()
