"""`efemera lab`: measure on this machine what the study guide says of RNN, GRU and LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from export.commands.options import MODELS, JsonOption, ModelOption
from export.errors import GateRefused, InputError
from export.screen import out as screen
from export.screen import print_json, progress_bar, say, say_notes

if TYPE_CHECKING:
    from export.lab.experiment import Ask, Outcome
    from export.lab.language import Language

SERIES = 11  # made ones beside the real one


def lab(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Of parameters, gradient, recall, kept, prices, life. [all]", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for report.html and results.json.")] = Path("lab"),
    prices: Annotated[
        list[Path] | None,
        typer.Option("--prices", "-p", help="Your own, as for train. Repeatable. [embedded]", show_default=False),
    ] = None,
    model: ModelOption = MODELS,
    seed: Annotated[int, typer.Option(min=0, max=1_000_000, help="The same seed gives the same numbers.")] = 0,
    fast: Annotated[bool, typer.Option("--fast", help="Rough numbers in half a minute.")] = False,
    language: Annotated[str, typer.Option(help="Of the report: en, pt or both.")] = "both",
    json: JsonOption = False,
) -> None:
    """Put the claims of the guide on RNN, GRU and LSTM to the test; each ends in a figure and a sentence.

    Example: `efemera lab --fast --out lab`

    Two of them, in Portuguese: `efemera lab gradient recall --language pt`
    """
    from export.lab.laboratory import chosen, run
    from export.lab.language import ENGLISH, PORTUGUESE
    from export.lab.report import results_of, write_report

    spoken = {"en": (ENGLISH,), "pt": (PORTUGUESE,), "both": (ENGLISH, PORTUGUESE)}
    if language not in spoken:
        raise InputError(f"--language: {language!r} is not one of {', '.join(spoken)}")
    order = chosen(names or [])
    languages = spoken[language]
    outcomes: list[Outcome] = []
    try:
        with progress_bar() as bar:
            task = bar.add_task("getting ready", total=None)

            def on_progress(what: str, finished: int, total: int) -> None:
                bar.update(task, description=what, completed=finished, total=total)

            setup = _setup(prices, model, seed, fast, on_progress)
            if "life" in order and len(setup.prices.ids) < 2:
                raise InputError(
                    "life: asks one series after another, and --prices holds one; leave it out or add a second"
                )
            for outcome in run(order, setup):
                outcomes.append(outcome)
                files = write_report(out, outcomes, setup, languages)
                if not json:
                    show(outcome, languages[0])
    except KeyboardInterrupt:
        kept = f"{', '.join(one.experiment.name for one in outcomes)} in {out}" if outcomes else "nothing yet"
        say(f"\ninterrupted; finished and written: {kept}")
        raise typer.Exit(130) from None
    if json:
        print_json(results_of(outcomes, setup))
    say(f"written: {', '.join(map(str, files))}")


def _setup(prices: list[Path] | None, model: Path, seed: int, fast: bool, on_progress: Any) -> Any:
    from export.data.demo import demo_prices
    from export.data.prices import read_prices
    from export.lab.experiment import Setup
    from export.training.checkpoint import read_checkpoint

    network, _ = read_checkpoint(model / "model_lstm.pth")
    serve = _served(model)
    if prices:
        config = network.config
        table = read_prices(prices, minimum=config.window + config.horizon)
        say_notes(table.notes)
    else:
        table = demo_prices(3 if fast else SERIES)
    return Setup(table, network.eval(), serve, seed, fast, on_progress)


def _served(model: Path) -> Any:
    """Make a function that starts the deployed code anew and asks it; its answers' numbers are (series, numbers)."""
    import msgspec
    import numpy as np

    from lambda_fn.api.forecast_response import forecast_one, forecast_series
    from lambda_fn.api.request_body import PredictRequest, Series
    from lambda_fn.model.forecaster import Forecaster, Inference
    from lambda_fn.model.manifest import ModelRefused

    def numbers(answered: dict[str, Any]) -> list[float]:
        bounds = [bound for step in answered["steps"] for pair in step["intervals"].values() for bound in pair]
        return [answered["predicted_price"], *(step["median"] for step in answered["steps"]), *bounds]

    def start() -> Ask:
        try:
            forecaster = Forecaster(model)
        except ModelRefused as refusal:
            raise GateRefused(str(refusal)) from None

        def ask(windows: Sequence[Sequence[float]]) -> Any:
            if len(windows) == 1:
                answers = [msgspec.to_builtins(forecast_one(Inference(forecaster), PredictRequest(list(windows[0]))))]
            else:
                series = [Series(str(number), list(window)) for number, window in enumerate(windows)]
                several = forecast_series(Inference(forecaster), PredictRequest(series=series), {}, "lab")
                answers = [msgspec.json.decode(msgspec.json.encode(one)) for one in several.forecasts]
            return np.array([numbers(one) for one in answers])

        return ask

    start()  # a model that is refused is reported before anything is measured
    return start


def show(outcome: Outcome, language: Language) -> None:
    """Print the table, the verdict and the sentence of one experiment."""
    words = outcome.experiment.tell(outcome.numbers, language)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for position, column in enumerate(words.columns):
        table.add_column(column, justify="right" if position else "left", no_wrap=not position)
    for row in words.rows:
        table.add_row(*row)
    screen.print(f"\n{words.title}: {language.text(f'verdicts.{outcome.verdict}')}", style="bold")
    screen.print(table)
    screen.print(words.sentence)
