"""`efemera evaluate`: judge a model beside every baseline, on what it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from export.commands.options import MODELS, JsonOption, ModelOption, PricesOption, SkipBadOption, day_option
from export.errors import InputError
from export.screen import out as screen
from export.screen import print_json, progress_bar, say, say_notes

LEVELS = ("50", "80", "95")  # shown


def evaluate(
    prices: PricesOption,
    model: ModelOption = MODELS,
    first: Annotated[
        str | None, typer.Option("--from", help="First cutoff. [after the model's training data]", show_default=False)
    ] = None,
    refit_every: Annotated[int, typer.Option(help="Sessions after which baselines are fitted anew.")] = 63,
    walk_forward: Annotated[
        bool, typer.Option("--walk-forward", help="Train a network anew for each fold instead of judging --model.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="With --walk-forward: TOML file with settings as for train.", show_default=False)
    ] = None,
    seeds: Annotated[str, typer.Option(help="With --walk-forward: comma-separated; each is judged.")] = "0",
    skip_slow: Annotated[bool, typer.Option("--skip-slow", help="Leave AutoETS and AutoTheta out.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for evaluation.json and scores.csv.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for report.html and its pictures.", show_default=False)
    ] = None,
    processes: Annotated[int | None, typer.Option(help="At most. [one a core]", show_default=False)] = None,
    skip_bad: SkipBadOption = False,
    json: JsonOption = False,
) -> None:
    """Judge a model on closes that it has not seen, beside naive, drift, EWMA, GARCH and others on the same rows.

    Example: `efemera evaluate --prices prices.csv.gz --report report`

    The training itself, walking forward: `efemera evaluate -p prices.csv.gz --walk-forward --refit-every 250`
    """
    import numpy as np

    from export.data.prices import read_prices
    from export.evaluation.backtest import Settings
    from export.evaluation.baselines import default_processes

    if processes is not None and processes < 1:
        raise InputError(f"--processes: {processes} is no number of processes")
    if not walk_forward and (config is not None or seeds != "0"):
        raise InputError("--config and --seeds go with --walk-forward")
    settings = Settings(
        None if first is None else np.datetime64(day_option("--from", first)),
        refit_every, not skip_slow, processes or default_processes(),
    )  # fmt: skip
    table = read_prices(prices, minimum=1, skip_bad=skip_bad)
    say_notes(table.notes)
    with progress_bar() as bar:
        task = bar.add_task("reading the model", total=None)

        def on_progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        if walk_forward:
            judged, history = _walk_forward(table, config, seeds, settings, on_progress), None
        else:
            judged, history = _fixed(table, model, settings, on_progress)
    evaluation, backtest = judged[0]
    if out is not None:
        from export.evaluation.evaluation_file import write_evaluation

        for number, (one, _) in enumerate(judged):
            folder = out / f"seed-{one['settings']['seeds'][0]}" if number else out
            say(f"written: {', '.join(map(str, write_evaluation(folder, one)))}")
    if report is not None:
        from export.evaluation.report.fan_charts import fans_of
        from export.evaluation.report.page import write_report
        from export.evaluation.report.plots import Detail

        levels = evaluation["settings"]["quantiles"]
        page, *pictures = write_report(report, evaluation, Detail(fans_of(table, backtest, levels), history))
        say(f"written: {page} and {len(pictures)} pictures")
    if json:
        print_json(_plain(judged))
    else:
        for one, _ in judged:
            show(one)


def _fixed(table: Any, folder: Path, settings: Any, on_progress: Any) -> tuple[list[Any], Any]:
    import json

    from export.evaluation.backtest import evaluate_model
    from export.evaluation.methods.efemera import ExportedModel

    model = ExportedModel(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return [evaluate_model(table, model, manifest["training_data"], settings, on_progress)], _history(folder)


def _history(folder: Path) -> list[dict[str, float]] | None:
    """Read the losses of the training, where the checkpoint has them."""
    from export.training.checkpoint import read_checkpoint

    checkpoint = folder / "model_lstm.pth"
    return read_checkpoint(checkpoint)[1].get("history") if checkpoint.exists() else None


def _walk_forward(table: Any, config: Path | None, seeds: str, settings: Any, on_progress: Any) -> list[Any]:
    from export.evaluation.backtest import evaluate_training
    from export.training.config import make_config, read_toml

    try:
        numbers = [int(seed) for seed in seeds.split(",")]
    except ValueError:
        raise InputError(f"--seeds: {seeds!r} is not a comma-separated list of whole numbers") from None
    checked = make_config(read_toml(config) if config else {}, str(config) if config else "settings")
    return evaluate_training(table, checked, numbers, settings, on_progress)


def _plain(judged: list[Any]) -> Any:
    import json

    from export.evaluation.evaluation_file import evaluation_json

    evaluations = [json.loads(evaluation_json(one)) for one, _ in judged]
    return evaluations[0] if len(evaluations) == 1 else evaluations


def show(evaluation: dict[str, Any]) -> None:
    """Print every method on the same rows, the verdict and its reasons."""
    from export.evaluation.report.numbers import LABELS, number, percent, quotient

    data = evaluation["data"]
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        caption="one session ahead; error against naive's, pinball loss against EWMA's (and over all steps)",
        caption_justify="left",
    )
    table.add_column("method", no_wrap=True)
    for name in ("error", "pinball", "all steps", *(f"in {level}%" for level in LEVELS)):
        table.add_column(name, justify="right", no_wrap=True)
    by_step = {line["step"]: line["methods"] for line in evaluation["scores"] if line["part"] == "all"}
    for name, scores in by_step[1].items():
        row = [LABELS[name], number(scores["rel_mae"], 4)]
        if "pinball" in scores:
            ratios = [quotient(by_step[step][name]["pinball"], by_step[step]["ewma"]["pinball"]) for step in (1, 0)]
            row += [number(ratio, 4) for ratio in ratios]
            row += [percent(scores["coverage"][level]["share"]) for level in LEVELS if level in scores["coverage"]]
        table.add_row(*row)
    say(
        f"{evaluation['cases']:,} forecasts of {len(data['ids'])} series, "
        f"{data['first_cutoff']} to {data['last_cutoff']}; seen by the model: {data['seen']}"
    )
    screen.print(table)
    screen.print(f"verdict: {evaluation['verdict']}", style="bold")
    for reason in evaluation["reasons"]:
        screen.print(f"  {reason}")
    for note in evaluation["notes"]:
        say(note)
