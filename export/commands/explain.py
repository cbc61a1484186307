"""`efemera explain`: why tomorrow's forecast of one series is what it is, day by day and gate by gate."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from export.commands.options import MODELS, JsonOption, ModelOption, PricesOption, SkipBadOption, day_option
from export.errors import GateRefused, InputError
from export.screen import say, say_notes

PICTURES = (".png", ".svg", ".pdf")
LISTED_SERIES = 5  # in a refusal


def explain(
    prices: PricesOption,
    model: ModelOption = MODELS,
    ticker: Annotated[
        str | None,
        typer.Option("--id", "--ticker", help="The series to explain. [the only one]", show_default=False),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="As if the closes ended on this day, YYYY-MM-DD. [the last]", show_default=False),
    ] = None,
    plot: Annotated[
        str | None, typer.Option(help="Draw it on one page: .png, .svg or .pdf.", show_default=False)
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", help="Every day and layer as a table: .parquet, .csv or .csv.gz.", show_default=False
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every day of the window.")] = False,
    skip_bad: SkipBadOption = False,
    json: JsonOption = False,
) -> None:
    """Show what the gates did on each day, what each day added to the forecast, and how far the memory reaches.

    The equations are computed beside the served graph; where the two disagree nothing is shown (exit code 3).

    Example: `efemera explain --prices PETR4.SA.csv --plot explain.png`

    One series of many, on a day: `efemera explain -p prices.csv.gz --ticker VALE3 --as-of 2020-03-20 --all`
    """
    from export.data.destination import check_destination

    if plot is not None:
        with _naming_flag("--plot"):
            check_destination(plot, PICTURES)
    if out is not None:
        check_destination(out)
    forecaster = _open(model)
    window = forecaster.manifest.window
    name, days, closes = _window_of(prices, skip_bad, ticker, as_of, window)
    encoded, answer, steps = _compute_explanation(model, forecaster, closes, days)
    if out is not None:
        from export.data.destination import write_table
        from export.explain.tables import explanation_columns

        write_table(explanation_columns(answer, days), out, labels={"unique_id": [name]})
    if plot is not None:
        _write_figure(plot, name, answer, steps)
    if json:
        typer.echo(encoded.decode())
    else:
        from export.explain.tables import print_explanation

        print_explanation(name, answer, steps, every)
    for path in filter(None, (out, plot)):
        say(f"written: {path}")


def _open(model: Path) -> Any:
    from lambda_fn.model.forecaster import Forecaster
    from lambda_fn.model.manifest import ModelRefused

    try:
        return Forecaster(model)
    except ModelRefused as refusal:
        raise GateRefused(str(refusal)) from None


def _window_of(
    paths: list[Path], skip_bad: bool, ticker: str | None, as_of: str | None, window: int
) -> tuple[str, list[str], list[float]]:
    """Read the name of the series, and the ISO dates and closes of its last window."""
    import numpy as np

    from export.data.prices import read_prices

    last = None if as_of is None else day_option("--as-of", as_of)
    table = read_prices(paths, minimum=1, skip_bad=skip_bad)  # another series may be too short
    say_notes(table.notes)
    if ticker is None and len(table.ids) > 1:
        listed = ", ".join(table.ids[:LISTED_SERIES]) + (", …" if len(table.ids) > LISTED_SERIES else "")
        raise InputError(f"{table.sources[0]}: {len(table.ids)} series ({listed}); choose one with --ticker")
    name = table.ids[0] if ticker is None else ticker
    days, closes = table.series(name)
    if last is not None:
        count = int(np.searchsorted(days, np.datetime64(last), side="right"))
        days, closes = days[:count], closes[:count]
    if len(closes) < window:
        until = f" up to {as_of}" if as_of else ""
        raise InputError(f"{name} is too short: {len(closes)} closes{until}; {window} are needed")
    return name, [str(day) for day in days[-window:]], closes[-window:].tolist()


def _compute_explanation(
    model: Path, forecaster: Any, closes: list[float], days: list[str]
) -> tuple[bytes, dict[str, Any], list[dict[str, Any]]]:
    """Compute the answer of `POST /explain` in full, with the table's dates, as JSON and decoded; and the steps."""
    import msgspec
    import numpy as np

    from lambda_fn.api.explain_response import to_response
    from lambda_fn.api.forecast_response import forecast_one
    from lambda_fn.api.request_body import PredictRequest
    from lambda_fn.model.attribution import attribute_forecast, served_weights
    from lambda_fn.model.forecaster import Inference
    from lambda_fn.model.manifest import Disagreement

    forecast = forecast_one(Inference(forecaster), PredictRequest(closes))
    try:
        weights = served_weights(model, forecaster)
        attribution = attribute_forecast(forecaster, weights, np.array(closes))
    except Disagreement as disagreement:
        raise GateRefused(f"{model}: {disagreement}") from None
    response = to_response(forecaster, weights, attribution, [*days], forecast.warnings, is_full=True)
    return msgspec.json.encode(response), msgspec.to_builtins(response), msgspec.to_builtins(forecast.steps)


@contextlib.contextmanager
def _naming_flag(flag: str) -> Iterator[None]:
    """Name this flag instead of --out in an `InputError` about a destination."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace("--out", flag, 1)) from None


def _write_figure(plot: str, name: str, answer: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    from export.data.destination import placing
    from export.explain.figure import save_explanation

    with _naming_flag("--plot"), placing(plot) as path:
        save_explanation(path, name, answer, steps)
