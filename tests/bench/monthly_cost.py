"""Dollars of a month: what the stack keeps, and forecasts by the API and by a batch run each evening. Measures nothing.

Without free tiers, volume discounts and taxes. Requests come at random over the whole month.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table

from tests.bench import metric_series
from tests.bench.cost_measures import Batch, Requests
from tests.bench.cost_units import GB, Units, by_api, by_batch, dollars, scaled
from tests.bench.prices import REGIONS
from tests.bench.stack import Stack, stack

FORECASTS = (1_000, 1_000_000, 100_000_000)  # a month
EVENINGS = 22  # a month with a run, over a twenty-second of the forecasts each
HOURS = 730  # of a month; CloudWatch bills a metric by the hours that have a point of it
SECONDS = HOURS * 3600
COMPRESSED = 0.15  # of the bytes of a log are stored, in the examples of cloudwatch/pricing; they stay for 30 days
LARGEST = 3  # parts of a sum that are named


@dataclasses.dataclass(frozen=True)
class Metrics:
    """How many custom metrics there are in an hour with requests, and of a batch run."""

    api: int
    run: int


def of_the_stack(kept: Stack) -> Units:
    """Units of a month in which nobody asks for anything."""
    return {
        "KMS keys": kept.keys,
        "alarms": kept.alarms,
        "dashboards": kept.dashboards,
        "SnapStart cache": kept.kept * version(kept),
    }


def version(kept: Stack) -> float:
    """GB-seconds of SnapStart's cache that one more version of each function takes a month."""
    return sum(kept.snapshots) / 1024 * SECONDS


def month_by_api(one: Requests, forecasts: float, metrics: int) -> Units:
    """Units of a month of so many forecasts in such requests."""
    count = forecasts / one.series
    found = by_api(one, forecasts, count / SECONDS)
    return _stored({**found, "custom metrics": metrics * min(count, HOURS) / HOURS})


def month_by_batch(one: Batch, forecasts: float, metrics: int) -> Units:
    """Units of a month of so many forecasts, of as many series each evening; the prices lie in the bucket once."""
    run = scaled(one, forecasts / EVENINGS)
    found = {name: count * EVENINGS for name, count in by_batch(run).items()}
    found["S3 storage"] += run.input / GB
    return _stored({**found, "custom metrics": metrics * EVENINGS / HOURS})


def _stored(units: Units) -> Units:
    return {**units, "log storage": units["logs"] * COMPRESSED}


def largest(costs: Units) -> str:
    """The largest parts of a sum with their dollars, in words; none of less than a cent."""
    first = sorted(costs, key=lambda name: -costs[name])[:LARGEST]
    return ", ".join(f"{name} {costs[name]:,.2f}" for name in first if costs[name] >= 0.01)


def report(single: Requests, thousand: Requests, batch: Batch) -> Iterator[RenderableType]:
    """A table of what the stack costs by itself, what a version kept costs, and a table of what forecasts add."""
    kept, metrics = stack(), Metrics(metric_series.of_the_api(), metric_series.of_a_run())
    yield _of_the_stack(kept)
    yield pruned(kept)
    yield _of_the_forecasts(kept, metrics, single, thousand, batch)


def pruned(kept: Stack) -> str:
    """What each version costs as long as it is there, in words."""
    each = [dollars({"SnapStart cache": version(kept)}, region)["SnapStart cache"] for region in REGIONS]
    words = " or ".join(dict.fromkeys(f"{one:.2f}" for one in each))
    return f"{kept.kept} versions are kept. Each costs {words} dollars a month by its snapshot, until it is deleted."


def _of_the_stack(kept: Stack) -> Table:
    found = Table(title="dollars a month for what is there whether anyone asks or not", title_justify="left")
    for name in ("", "how many", *REGIONS):
        found.add_column(name, justify="right" if name in REGIONS else "left")
    units = of_the_stack(kept)
    costs = [dollars(units, region) for region in REGIONS]
    words = {
        "alarms": f"{kept.alarms} metrics that they watch",
        "SnapStart cache": f"{kept.kept} versions of {sum(kept.snapshots)} MB",
    }
    for name, count in units.items():
        found.add_row(name, words.get(name, str(count)), *(f"{cost[name]:.2f}" for cost in costs))
    found.add_section()
    found.add_row("all", "", *(f"{sum(cost.values()):.2f}" for cost in costs))
    return found


def _of_the_forecasts(kept: Stack, metrics: Metrics, single: Requests, thousand: Requests, batch: Batch) -> Table:
    found = Table(title="dollars a month with that and so many forecasts", title_justify="left")
    for name in ("forecasts", "by", *REGIONS, "largest parts that they add"):
        found.add_column(name, justify="right" if name in (*REGIONS, "forecasts") else "left")
    for forecasts in FORECASTS:
        ways = {
            "API, 1 a request": month_by_api(single, forecasts, metrics.api),
            "API, 1,000 a request": month_by_api(thousand, forecasts, metrics.api),
            "batch": month_by_batch(batch, forecasts, metrics.run),
        }
        for way, units in ways.items():
            sums = (sum(dollars({**of_the_stack(kept), **units}, region).values()) for region in REGIONS)
            added = largest(dollars(units, REGIONS[0]))
            found.add_row(f"{forecasts:,}", way, *(f"{one:,.2f}" for one in sums), added)
        found.add_section()
    return found
