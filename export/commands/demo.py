"""`efemera demo`: from prices to an answered request, on embedded data, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import typer

from export.commands.export import prove_and_write
from export.commands.predict import show_forecasts
from export.commands.train import fit
from export.errors import EfemeraError, InputError
from export.screen import say
from export.training.config import Config

EPOCHS = 5
LEARNING_RATE, BATCH_SIZE = 1e-3, 128  # the demo has few windows: larger and more steps than on a whole market


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything the demo makes.")] = Path("demo-out"),
    epochs: Annotated[int, typer.Option(min=0, help="Of training.")] = EPOCHS,
) -> None:
    """Prepare prices, train, export, prove parity, serve, ask for a forecast, draw it.

    Example: `efemera demo --out /tmp/efemera-demo`
    """
    from export.data.demo import REAL_ID, demo_prices
    from export.forecast_plot import plot_forecast
    from export.training.checkpoint import MODEL_FILE, STATE_FILE, read_checkpoint

    started = time.monotonic()
    run, model, picture = out / "run", out / "model", out / "forecast.png"
    try:
        out.mkdir(parents=True, exist_ok=True)
        (run / STATE_FILE).unlink(missing_ok=True)  # an earlier demo's
    except OSError as error:
        raise InputError(f"--out {out}: can't be written ({error.strerror})") from None

    _headline(1, "Prices")
    prices = demo_prices()
    days, closes = prices.series(REAL_ID)
    say(f"{REAL_ID}: {len(closes):,} real closes, {days[0]} to {days[-1]}, adjusted; they come with matplotlib")
    say(f"{len(prices.ids) - 1} made series: seeded GARCH(1,1), with volatility that clusters and fat tails")

    _headline(2, "Training")
    fit(prices, Config(epochs=epochs, learning_rate=LEARNING_RATE, batch_size=BATCH_SIZE), run)

    _headline(3, "Export and parity")
    network, training = read_checkpoint(run / MODEL_FILE)
    prove_and_write(network, training, model, prices)

    _headline(4, "POST /predict")
    answer = _request_forecast(model, closes[-network.config.window :].tolist())
    show_forecasts([{"id": REAL_ID, "last_date": str(days[-1]), **answer}])
    plot_forecast(picture, REAL_ID, days, closes, answer)
    say(f"the series and its forecast as a picture: {picture}")
    say(f"done in {time.monotonic() - started:.0f} s; everything is in {out}/")


def _request_forecast(model: Path, closes: list[float]) -> dict[str, Any]:
    """Start `efemera serve` on a free port, send one request as any client would, end the server."""
    command = [sys.executable, "-m", "export", "serve", "--port", "0", "--model", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if "http://" not in line:
                raise EfemeraError("the local server did not start; its own message is above")
            address = next(word for word in line.split() if word.startswith("http://"))
            say(line.partition(" (")[0])
            request = urllib.request.Request(
                f"{address}/predict",
                json.dumps({"prices": closes}).encode(),
                {"Content-Type": "application/json"},
            )
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy is for elsewhere
            with direct.open(request, timeout=30) as response:
                answer: dict[str, Any] = json.load(response)
        finally:
            server.terminate()
    body = f'{{"prices": [{closes[0]:.2f}, … {closes[-1]:.2f}]}}'
    say(f'{body} → {{"predicted_price": {answer["predicted_price"]:.4f}, …}}')
    return answer


def _headline(number: int, text: str) -> None:
    say(f"\n{number}  {text}", "bold")
