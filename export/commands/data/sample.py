"""`efemera data sample`: a made market of any size."""

from __future__ import annotations

from typing import Annotated

import typer

from export.commands.options import TableOption, day_option
from export.screen import progress_bar, say


def sample(
    out: TableOption,
    series: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 1000,
    days: Annotated[int, typer.Option(min=1, max=20_000, help="Closes of each.")] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="One seed, one market.")] = 0,
    calendar: Annotated[
        str, typer.Option(help="Whose sessions: BVMF, XNYS, 24/7, weekdays or another of exchange_calendars.")
    ] = "BVMF",
    end: Annotated[str, typer.Option(help="The last session is on or before this day.")] = "2025-12-30",
) -> None:
    """Make a market: volatility that clusters, fat tails, a common factor, and the real sessions of an exchange.

    Example: `efemera data sample --series 1000 --days 1500 --seed 0 --out sample.parquet`

    For trying things out at scale. Nothing in it can be foreseen but the size of its moves.
    """
    import numpy as np

    from export.data.destination import check_destination, write_prices
    from export.data.sample import sample_prices

    check_destination(out)
    last = np.datetime64(day_option("--end", end))
    with progress_bar() as bar:
        task = bar.add_task("making days", total=days)
        made = sample_prices(series, days, seed, calendar, last, on_day=lambda day: bar.update(task, completed=day + 1))
        bar.update(task, description="writing")
        write_prices(made, out)
    say(f"wrote {out}: {series:,} series, {len(made):,} closes, {made.ds.min()} to {made.ds.max()}")
