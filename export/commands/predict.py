"""`efemera predict`: tomorrow's forecasts for the series of a file, without a server."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

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
    horizon: Annotated[int | None, typer.Option(help="Steps ahead. [the model's]", show_default=False)] = None,
    calendar: Annotated[
        str | None,
        typer.Option(help="Date each step by these sessions: BVMF, XNYS, 24/7 or weekdays.", show_default=False),
    ] = None,
    skip_bad: SkipBadOption = False,
    json: JsonOption = False,
) -> None:
    """Forecast each series of a price table with the very code that answers on Lambda.

    Example: `efemera predict --prices PETR4.SA.csv`

    One series of many, as JSON: `efemera predict --prices prices.csv.gz --id VALE3 --calendar BVMF --json`
    """
    import msgspec

    from export.data.prices import read_prices
    from lambda_fn.api.forecast_response import forecast_one
    from lambda_fn.api.request_body import PredictRequest
    from lambda_fn.model.forecaster import Forecaster, Inference
    from lambda_fn.model.manifest import ModelRefused

    try:
        forecaster = Forecaster(model)
    except ModelRefused as refusal:
        raise GateRefused(str(refusal)) from None
    manifest = forecaster.manifest
    if horizon is not None and not 1 <= horizon <= manifest.horizon:
        raise InputError(f"--horizon: {horizon} is not from 1 to {manifest.horizon}, what this model forecasts")
    calendars = forecaster.sessions.calendars
    if calendar is not None and calendar not in calendars:
        raise InputError(f"--calendar: {calendar!r} is not one of {', '.join(calendars)}")
    table = read_prices(prices, minimum=manifest.window, skip_bad=skip_bad)
    say_notes(table.notes)
    if ids:
        table = table.only(ids)
    forecasts: list[dict[str, Any]] = []
    for unique_id in table.ids:
        days, closes = table.series(unique_id)
        last_date = days[-1].item() if calendar else None
        window = closes[-manifest.window :].tolist()
        forecast = forecast_one(Inference(forecaster), PredictRequest(window, None, horizon, None, last_date, calendar))
        forecasts.append({"id": unique_id, "last_date": str(days[-1]), **msgspec.to_builtins(forecast)})
    if json:
        print_json({"forecasts": forecasts})
    else:
        show_forecasts(forecasts)


def show_forecasts(forecasts: list[dict[str, Any]]) -> None:
    """Answers as a table, one row a step, each next to the naive forecast."""
    first = forecasts[0]
    levels = list(first["steps"][0]["intervals"])
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
        padding=(0, 1, 0, 0) if "date" in first["steps"][0] else (0, 1),  # room for dates in 80 columns
        caption=Text(f"model {first['model_version']}, verdict: {first['verdict']}; no investment advice"),
        caption_justify="left",
    )
    for name in ("series", "step", "naive", "forecast", *(f"{level}% interval" for level in levels)):
        table.add_column(name, justify="left" if name == "series" else "right", no_wrap=True)
    for forecast in forecasts:
        labels = [forecast["id"], forecast["last_date"], *(f"({warning})" for warning in forecast["warnings"])]
        steps = forecast["steps"]
        for number in range(max(len(labels), len(steps))):
            label = labels[number] if number < len(labels) else ""
            table.add_row(Text(label), *(_cells(steps[number], forecast["naive_price"]) if number < len(steps) else ()))
        table.add_section()
    screen.print(table)


def _cells(step: dict[str, Any], naive: float) -> list[str]:
    bounds = ("–".join(price(bound) for bound in interval) for interval in step["intervals"].values())
    day = step["date"][5:] if step.get("date") else f"+{step['step']}"  # the year stands beside the last close
    return [day, price(naive), price(step["median"]), *bounds]
