"""`efemera train`: fit the network to a table of prices."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.commands.options import PricesOption, SkipBadOption
from export.errors import InputError
from export.screen import progress_bar, say, say_notes
from export.training.config import Config, make_config, read_toml

if TYPE_CHECKING:
    from export.data.prices import Prices
    from export.training.train import Trained


def train(
    prices: PricesOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoint and the state to resume from.")],
    config: Annotated[Path | None, typer.Option(help="TOML file with any of the settings below; flags win.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training that --out holds.")] = False,
    skip_bad: SkipBadOption = False,
    window: Annotated[int | None, typer.Option(help="Closes read. [60]", show_default=False)] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps forecast. [5]", show_default=False)] = None,
    quantiles: Annotated[
        str | None,
        typer.Option(help="Comma-separated, symmetric, with 0.5. [0.025,…,0.975]", show_default=False),
    ] = None,
    cell: Annotated[str | None, typer.Option(help="lstm, gru or rnn. [lstm]", show_default=False)] = None,
    hidden_size: Annotated[int | None, typer.Option(help="Units a layer. [50]", show_default=False)] = None,
    layers: Annotated[int | None, typer.Option(help="Recurrent layers. [2]", show_default=False)] = None,
    head: Annotated[
        str | None, typer.Option(help="quantile, or guide: one number. [quantile]", show_default=False)
    ] = None,
    scaling: Annotated[str | None, typer.Option(help="ewma or returns. [ewma]", show_default=False)] = None,
    loss: Annotated[
        str | None, typer.Option(help="pinball, or mse with the guide head. [pinball]", show_default=False)
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="At most. [30]", show_default=False)] = None,
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a better validation loss. [5]", show_default=False)
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Windows a step. [512]", show_default=False)] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of AdamW. [0.0005]", show_default=False)] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of AdamW, on weights. [0.5]", show_default=False)] = None,
    averaging: Annotated[
        float | None,
        typer.Option(help="Of the weights kept, from step to step; 0: the last ones. [0.98]", show_default=False),
    ] = None,
    clip_norm: Annotated[float | None, typer.Option(help="Largest gradient norm. [1.0]", show_default=False)] = None,
    validation_share: Annotated[float | None, typer.Option(help="Of the sessions. [0.15]", show_default=False)] = None,
    test_share: Annotated[
        float | None, typer.Option(help="Of the sessions, the last. [0.15]", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="One seed, one result. [0]", show_default=False)] = None,
) -> None:
    """Train the network on closing prices; keeps the weights with the best validation loss.

    Example: `efemera train --prices prices.csv.gz --out runs/first`

    The guide's own network: `efemera train -p prices.csv -o runs/guide --head guide --loss mse`
    """
    flags = {
        name: value for name, value in locals().items() if name in Config.__dataclass_fields__ and value is not None
    }
    settings = make_settings(config, flags)
    # Only now, with the flags known to be right: what follows loads PyTorch.
    from export.data.prices import read_prices

    table = read_prices(prices, minimum=settings.window + settings.horizon, skip_bad=skip_bad)
    say_notes(table.notes)
    say(f"{len(table.ids)} series, {len(table):,} closes, {table.ds.min()} to {table.ds.max()}")
    fit(table, settings, out, resume=resume)
    checkpoint = out / "model_lstm.pth"
    say(f"wrote {checkpoint}; next: efemera export --checkpoint {checkpoint} --prices {prices[0]} --out mine")


def fit(table: Prices, settings: Config, out: Path, *, resume: bool = False) -> Trained:
    """Train with a progress bar, a line an epoch and a summary; Ctrl-C ends the command with 130 and the best kept."""
    from export.training.checkpoint import STATE_FILE
    from export.training.train import Progress
    from export.training.train import train as fit_network

    started = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("untrained", total=None)

        def show(now: Progress) -> None:
            done = (now.epoch - 1) * now.batches + now.batch
            text = f"epoch {now.epoch} of at most {settings.epochs}, loss {now.train_loss:.4f}"
            bar.update(task, total=settings.epochs * now.batches, completed=done, description=text)
            if now.validation_loss is not None:
                best = "  best so far" if now.is_best else ""
                say(f"epoch {now.epoch:3d}  train {now.train_loss:.5f}  validation {now.validation_loss:.5f}{best}")

        try:
            trained = fit_network(table, settings, out, resume=resume, on_progress=show)
        except KeyboardInterrupt:
            kept = (
                f"the best weights so far are in {out}, and --resume goes on"
                if (out / STATE_FILE).exists()
                else "nothing yet"
            )
            say(f"\ninterrupted; {kept}")
            raise typer.Exit(130) from None
    split, losses = trained.split, [line["validation_loss"] for line in trained.history]
    say(
        f"trained on {len(split.train):,} windows before {split.validation_from}, the epoch chosen on "
        f"{len(split.validation):,}, {len(split.test):,} from {split.test_from} on never seen"
    )
    best = losses[trained.best_epoch]
    say(
        f"best epoch {trained.best_epoch} of {len(losses) - 1}: validation loss {best:.5f}, "
        f"{best / losses[0] - 1:+.2%} against the untrained start ({time.monotonic() - started:.0f} s)"
    )
    return trained


def make_settings(config: Path | None, flags: dict[str, Any]) -> Config:
    """Merge a TOML file and flags into the configuration; a flag wins over the file. Raises `InputError`."""
    if isinstance(flags.get("quantiles"), str):
        try:
            flags["quantiles"] = [float(part) for part in flags["quantiles"].split(",")]
        except ValueError:
            raise InputError(f"--quantiles: {flags['quantiles']!r} is not a comma-separated list of numbers") from None
    values = read_toml(config) if config else {}
    return make_config({**values, **flags}, str(config) if config else "settings")
