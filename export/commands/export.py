"""`efemera export` and `efemera parity`: a proven ONNX model, or exit code 3."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from export.commands.options import MODELS, JsonOption, ModelOption
from export.errors import InputError
from export.screen import out as screen
from export.screen import print_json, say, say_notes

if TYPE_CHECKING:
    from export.data.prices import Prices
    from export.training.network import Network

HeldOutOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--prices", "-p", help="Prices whose unseen windows join the proof; as for train.", show_default=False
    ),
]


def export(
    checkpoint: Annotated[
        Path,
        typer.Option(help="model_lstm.pth of a training, or a plain state dict with lstm.* and linear.*"),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the set of artefacts.")],
    prices: HeldOutOption = None,
    scaling: Annotated[
        str | None,
        typer.Option(
            help="For a plain state dict: minmax:LOW,HIGH, standard:MEAN,STD, returns or none.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="For a plain state dict: closes read. [60]", show_default=False)
    ] = None,
    model_version: Annotated[
        str | None, typer.Option(help="Name of this model. [date and digest]", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Export a checkpoint to ONNX, prove that it computes the same, and write the set that Lambda serves.

    Example: `efemera export --checkpoint runs/first/model_lstm.pth --prices prices.csv.gz --out mine`

    A network trained elsewhere: `efemera export --checkpoint my.pth --scaling minmax:3.2,41.7 --out mine`
    """
    from export.conversion.state_dict import read_state_dict
    from export.training.checkpoint import read_checkpoint

    training: dict[str, Any] = {}
    if scaling is None and window is None:
        network, training = read_checkpoint(checkpoint)
    elif scaling is None:
        raise InputError("--window: belongs to a plain state dict, and needs --scaling beside it")
    else:
        network = read_state_dict(checkpoint, scaling, 60 if window is None else window)
    prove_and_write(network, training, out, _read_prices(prices), model_version=model_version, json=json)


def prove_and_write(
    network: Network,
    training: dict[str, Any],
    out: Path,
    prices: Prices | None,
    *,
    model_version: str | None = None,
    json: bool = False,
) -> None:
    """Export a network with progress and print the certificate."""
    from export.conversion.convert import export_bundle
    from export.conversion.parity_windows import held_out_windows

    config = network.config
    held_out = held_out_windows(prices, config.window, training) if prices is not None else None
    sizes = f"{config.cell} 1 → {config.hidden_size} × {config.layers}, {network.parameter_count():,} parameters"
    say(f"{sizes}, scaling {config.scaling}")
    say("tracing the network, then running it in PyTorch, onnxruntime and NumPy …")
    manifest, certificate = export_bundle(network, training, out, held_out=held_out, model_version=model_version)
    _print_certificate(certificate, json)
    say(f"wrote {out}/: model {manifest['model_version']}, digest {manifest['files']['model.onnx'][:12]}")


def parity(model: ModelOption = MODELS, prices: HeldOutOption = None, json: JsonOption = False) -> None:
    """Prove an exported model again, from its files alone; exit code 3 when the proof fails.

    Example: `efemera parity --model models/`
    """
    from export.conversion.convert import check_bundle

    _print_certificate(check_bundle(model, _read_prices(prices)), json)


def _read_prices(paths: list[Path] | None) -> Prices | None:
    if not paths:
        return None
    from export.data.prices import read_prices

    table = read_prices(paths, minimum=1)
    say_notes(table.notes)
    return table


def _print_certificate(certificate: dict[str, Any], json: bool) -> None:
    """Print the certificate: the worst difference of any two implementations in each batch size."""
    if json:
        print_json(certificate)
        return
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        title="largest difference of any two of PyTorch, onnxruntime and NumPy",
        caption=f"gate: head within {certificate['tolerance']['head']:.1e}",
        title_justify="left",
        caption_justify="left",
    )
    headings = {
        "price_absolute": "price",
        "price_relative": "price, relative",
        "log_return_absolute": "log return",
        "log_return_relative": "relative",
        "head": "head",
        "head_ulp": "ULP",
    }
    for name in ("batch", *headings.values()):
        table.add_column(name, justify="right", no_wrap=True)
    cases = certificate["cases"]
    for batch in sorted({case["batch"] for case in cases}):
        same = [case for case in cases if case["batch"] == batch]
        worst = {figure: max(case[figure] for case in same) for figure in headings}
        worst["price_absolute"] = max(case["price_absolute"] for case in same if case["windows"] != "adversarial")
        ulp = worst.pop("head_ulp")
        table.add_row(f"{batch:,}", *(f"{value:.1e}" for value in worst.values()), f"{ulp:.0f}")
    screen.print(table)
    counts = {case["windows"]: case["count"] for case in cases if case["batch"] == 64}  # the one that all take part in
    screen.print("windows: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    if certificate["held_out"]:
        screen.print(f"real windows: {certificate['held_out']}")
    screen.print("parity holds", style="green")
