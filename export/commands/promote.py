"""`efemera promote`: put a new model in the champion's place, or end with exit code 3."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from export.commands.evaluate import show
from export.commands.options import MODELS, PricesOption, SkipBadOption, day_option
from export.errors import InputError
from export.screen import progress_bar, say, say_notes


def promote(
    candidate: Annotated[Path, typer.Argument(help="Folder with the exported candidate.")],
    prices: PricesOption,
    champion: Annotated[
        Path,
        typer.Option(
            help="Folder of the champion, which the candidate is to replace. [the project's own]", show_default=False
        ),
    ] = MODELS,
    no_champion: Annotated[
        bool, typer.Option("--no-champion", help="Do not compare with the model that --champion holds, if any.")
    ] = False,
    first: Annotated[
        str | None, typer.Option("--from", help="First cutoff. [after the training data of both]", show_default=False)
    ] = None,
    refit_every: Annotated[int, typer.Option(help="Sessions after which baselines are fitted anew.")] = 63,
    skip_slow: Annotated[bool, typer.Option("--skip-slow", help="Leave AutoETS and AutoTheta out.")] = False,
    force: Annotated[
        str | None, typer.Option(help="Promote against the gate; the reason is recorded.", show_default=False)
    ] = None,
    notes: Annotated[
        Path | None, typer.Option(help="Markdown that goes into the model card.", show_default=False)
    ] = None,
    skip_bad: SkipBadOption = False,
) -> None:
    """Judge a candidate on closes that neither it nor the champion has seen, and promote it if it has earned it.

    Refused (exit code 3) is one that is significantly worse than naive, EWMA or the champion, or whose intervals do
    not hold what they promise. What is promoted: the exported set, evaluation.json and the model card, README.md.

    Example: `efemera promote mine --prices prices.csv.gz`

    Against the gate: `efemera promote mine -p prices.csv.gz --force "the old one misses the new tickers"`
    """  # fmt: skip
    import numpy as np

    from export.data.prices import read_prices
    from export.evaluation import promotion
    from export.evaluation.backtest import Settings
    from export.evaluation.baselines import default_processes

    if force is not None and not force.strip():
        raise InputError("--force: say why, in words")
    if not (candidate / "manifest.json").exists():
        raise InputError(f"{candidate}: holds no exported model (no manifest.json)")
    if candidate.resolve() == champion.resolve():
        raise InputError(f"{candidate}: is the champion itself")
    words = _read_notes(notes) if notes else ""
    stands = (champion / "manifest.json").exists() and not no_champion
    settings = Settings(
        None if first is None else np.datetime64(day_option("--from", first)),
        refit_every, not skip_slow, default_processes(),
    )  # fmt: skip
    table = read_prices(prices, minimum=1, skip_bad=skip_bad)
    say_notes(table.notes)
    with progress_bar() as bar:
        task = bar.add_task("reading the models", total=None)
        candidacy = promotion.stand(
            table, candidate, champion if stands else None, settings,
            lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        )  # fmt: skip
    show(candidacy.evaluation)
    if candidacy.against is not None:
        say(
            f"pinball loss against the champion, all steps: {candidacy.against['ratio']:.4f} × "
            f"({candidacy.against['low']:.4f} to {candidacy.against['high']:.4f})"
        )
    promotion.promote(candidacy, candidate, champion, forced=force.strip() if force else None, notes=words)
    say(f"promoted into {champion}: {candidacy.evaluation['model_version']}, {candidacy.evaluation['verdict']}")


def _read_notes(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"--notes {path}: no readable text file") from None
