"""Dollars for a million forecasts and for a month, by the API and by batch runs, of what is measured and AWS's prices.

`python -m tests.bench.cost` measures and prints this alone. Lambda gives processor time in proportion to memory, one
whole vCPU at 1,769 MB: a second of one processor here is billed as 1769 / MB seconds. Whether a vCPU there is as fast
as a processor here can't be told from here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Table

from tests.bench import monthly_cost
from tests.bench.cost_measures import batch_of_a_million, requests
from tests.bench.cost_units import Units, by_api, by_batch, dollars
from tests.bench.measure import readable
from tests.bench.prices import PRICES, REGIONS


def report(scratch: Path) -> Iterator[RenderableType]:
    """Measure; a table of the sums, then one of what they rest on."""
    single, thousand, batch = requests(1), requests(1000), batch_of_a_million(scratch)
    ways = {"API, 1 a request": by_api(single), "API, 1,000 a request": by_api(thousand), "batch": by_batch(batch)}
    yield _sums(ways)
    yield (
        f"A request of one series takes {readable(single.seconds)} of a processor, one of a thousand "
        f"{readable(thousand.seconds)}; a million in a batch {batch.plan:.0f} s to plan, {batch.work:.0f} s to "
        f"forecast and to score a week's runs, {batch.finish:.0f} s to prove; each of {batch.shards} shards calls S3 "
        f"{batch.reads.shard:.0f} times to read and {batch.writes.shard:.0f} to write."
    )
    yield from monthly_cost.report(single, thousand, batch)
    yield _prices()


def _prices() -> Table:
    found = Table(title="prices of aws.amazon.com, as read on these dates", title_justify="left")
    for name in ("", "so many", *REGIONS, "page", "read"):
        found.add_column(name, justify="right" if name in REGIONS else "left", overflow="fold")
    for name, price in PRICES.items():
        each = (f"${one:g}" for one in price.dollars)
        unit = f"{price.count:,} {price.unit}".removeprefix("1 ")
        found.add_row(name, unit, *each, price.page, ", ".join(dict.fromkeys(price.read)))
    return found


def _sums(ways: dict[str, Units]) -> Table:
    """A row for each price and for each region's sum, a column for each way."""
    found = Table(title=f"dollars for a million forecasts, {REGIONS[0]}", title_justify="left")
    found.add_column("")
    costs = {name: dollars(units, REGIONS[0]) for name, units in ways.items()}
    for name in ways:
        found.add_column(name, justify="right")
    for price in (name for name in PRICES if any(name in cost for cost in costs.values())):
        found.add_row(price, *(f"{cost[price]:.4f}" if price in cost else "–" for cost in costs.values()))
    found.add_section()
    for region in REGIONS:
        sums = (sum(dollars(units, region).values()) for units in ways.values())
        found.add_row(f"all, {region}", *(f"{one:.3f}" for one in sums))
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for part in report(Path(folder)):
            Console(width=160).print(part)
