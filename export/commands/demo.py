"""`efemera demo`: the main job from prices to an answered request, on embedded data, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Annotated

import typer

from export.errors import EfemeraError
from export.screen import out as screen
from export.screen import progress_bar

EPOCHS = 6


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything the demo makes.")] = Path(
        "demo-out"
    ),
    epochs: Annotated[int, typer.Option(min=0, help="Of training.")] = EPOCHS,
) -> None:
    """Prepare prices, train, export, prove parity, serve, ask for a forecast, draw it.

    Example: `efemera demo --out /tmp/efemera-demo`
    """
    from export.bundle import export_bundle, held_out_windows
    from export.config import Config
    from export.demo_data import REAL_ID, demo_prices
    from export.plots import plot_forecast
    from export.train import train

    started = time.monotonic()
    run, model, picture = out / "run", out / "model", out / "forecast.png"
    _clear(run, model)
    prices = demo_prices()
    _headline(1, "Prices")
    screen.print(
        f"{REAL_ID}: {len(prices.series(REAL_ID)[1]):,} real adjusted closes that come with matplotlib, 2004-2008;"
    )
    screen.print(
        f"{len(prices.ids) - 1} made series: seeded GARCH(1,1), volatility that clusters and fat tails"
    )

    _headline(2, "Training")
    config = Config(epochs=epochs)
    with progress_bar() as bar:
        task = bar.add_task("epoch 1", total=None)
        trained = train(
            prices,
            config,
            run,
            on_progress=lambda now: bar.update(
                task,
                total=epochs * now.batches,
                completed=(now.epoch - 1) * now.batches + now.batch,
                description=f"epoch {now.epoch}/{epochs}  loss {now.train_loss:.4f}",
            ),
        )
    split = trained.split
    screen.print(
        f"{len(split.train):,} windows up to {split.validation_from}, {len(split.validation):,} to choose the best epoch, "
        f"{len(split.test):,} from {split.test_from} never seen"
    )
    first, best = (
        trained.history[0]["validation_loss"],
        trained.history[trained.best_epoch]["validation_loss"],
    )
    screen.print(
        f"validation loss {first:.4f} untrained (EWMA's quantiles), {best:.4f} after epoch {trained.best_epoch}"
    )

    _headline(3, "Export and parity")
    held_out = held_out_windows(prices, config.window, {"data": {"last_date": str(split.test_from)}})
    from export.checkpoint import read_checkpoint

    network, training = read_checkpoint(run / "model_lstm.pth")
    manifest, certificate = export_bundle(network, training, model, held_out=held_out)
    worst = certificate["worst"]
    screen.print(
        f"PyTorch, onnxruntime and NumPy agree on {len(certificate['cases'])} cases, batches of 1 to 1,000: "
        f"price within {worst['price_relative']:.0e}, log return within {worst['log_return_absolute']:.0e}"
    )
    screen.print(f"certificate: {model / 'parity.json'}   model {manifest['model_version']}")

    _headline(4, "POST /predict")
    days, closes = prices.series(REAL_ID)
    answer = _ask(model, closes[-config.window :].tolist())
    from export.commands.predict import show_forecasts

    show_forecasts([{"id": REAL_ID, "last_date": str(days[-1]), **answer}])
    plot_forecast(
        picture, f"{REAL_ID}, {len(answer['steps'])} sessions from {days[-1]}", days, closes, answer
    )
    screen.print(f"picture: {picture}")
    screen.print(f"done in {time.monotonic() - started:.0f} s; everything is in {out}/")


def _ask(model: Path, closes: list[float]) -> dict[str, object]:
    """Start `efemera serve` on a free port, send one request as any client would, end the server."""
    command = [sys.executable, "-m", "export", "serve", "--port", "0", "--model", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if "http://" not in line:
                raise EfemeraError("the local server did not start; its own message is above")
            address = next(word for word in line.split() if word.startswith("http://"))
            screen.print(line.partition(" (")[0])
            request = urllib.request.Request(
                f"{address}/predict",
                json.dumps({"prices": closes}).encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=30) as response:
                answer: dict[str, object] = json.load(response)
        finally:
            server.terminate()
    screen.print(
        f'{{"prices": [{closes[0]:.2f}, … {closes[-1]:.2f}]}} → {{"predicted_price": {answer["predicted_price"]:.4f}, …}}'
    )
    return answer


def _headline(number: int, text: str) -> None:
    screen.print(f"\n[bold]{number}  {text}[/bold]")


def _clear(*folders: Path) -> None:
    """The demo's own folders of an earlier run go; nothing else is touched."""
    import shutil

    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
