"""`efemera predict`: tomorrow's forecasts for the series of a file, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from export.commands.options import MODELS, JsonOption, ModelOption, PricesOption, SkipBadOption
from export.errors import GateRefused, InputError
from export.screen import out as screen
from export.screen import price, print_json, say_notes


def predict(
    prices: PricesOption,
    model: ModelOption = MODELS,
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="Only this series. Repeatable.", show_default=False)
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="Steps ahead. [the model's]", show_default=False)
    ] = None,
    skip_bad: SkipBadOption = False,
    json: JsonOption = False,
) -> None:
    """Forecast each series of a price table with the very code that answers on Lambda.

    Example: `efemera predict --prices PETR4.SA.csv`

    One series of many, as JSON: `efemera predict --prices prices.csv.gz --id VALE3 --json`
    """
    import msgspec

    from export.prices import read_prices
    from lambda_fn.answer import answer
    from lambda_fn.forecaster import Forecaster, ModelRefused
    from lambda_fn.request import PredictRequest

    try:
        forecaster = Forecaster(model)
    except ModelRefused as refusal:
        raise GateRefused(str(refusal)) from None
    manifest = forecaster.manifest
    if horizon is not None and not 1 <= horizon <= manifest.horizon:
        raise InputError(
            f"--horizon: {horizon} is not from 1 to {manifest.horizon}, what this model forecasts"
        )
    table = read_prices(prices, minimum=manifest.window, skip_bad=skip_bad)
    say_notes(table.notes)
    if ids:
        table = table.only(ids)
    forecasts: list[dict[str, Any]] = []
    for unique_id in table.ids:
        days, closes = table.series(unique_id)
        found = answer(forecaster, PredictRequest(closes[-manifest.window :].tolist(), horizon))
        forecasts.append({"id": unique_id, "last_date": str(days[-1]), **msgspec.to_builtins(found)})
    if json:
        print_json({"forecasts": forecasts})
    else:
        show_forecasts(forecasts)


def show_forecasts(forecasts: list[dict[str, Any]]) -> None:
    """Answers as a table, each next to the naive one; one row a step."""
    levels = list(forecasts[0]["steps"][0]["intervals"])
    table = Table(
        caption=f"model {forecasts[0]['model_version']}, verdict: {forecasts[0]['verdict']}. No investment advice."
    )
    for name, justify in (
        ("series", "left"),
        ("last close", "left"),
        ("step", "right"),
        ("naive", "right"),
        ("forecast", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for level in levels:
        table.add_column(f"{level}% interval", justify="right")
    for found in forecasts:
        for step in found["steps"]:
            first = step["step"] == 1
            warned = " (constant)" if first and "constant" in found["warnings"] else ""
            table.add_row(
                found["id"] + warned if first else "",
                found["last_date"] if first else "",
                f"+{step['step']}",
                price(found["naive_price"]),
                price(step["median"]),
                *(" – ".join(price(bound) for bound in step["intervals"][level]) for level in levels),
                end_section=step is found["steps"][-1],
            )
    screen.print(table)
