"""`efemera serve`: the Lambda handler on 127.0.0.1."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from export.commands.options import MODELS, ModelOption
from export.errors import GateRefused
from export.screen import out as screen

HOST = "127.0.0.1"


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    model: ModelOption = MODELS,
) -> None:
    """Answer HTTP on this machine with the handler that runs on Lambda; Ctrl-C ends it.

    Example: `efemera serve --port 0`
    """
    os.environ["EFEMERA_MODELS"] = str(model)
    from export.server import listen, server_of
    from lambda_fn.forecaster import ModelRefused

    try:
        from lambda_fn.api import (
            forecaster,
            handler,
        )  # verifies the model, as a Lambda environment does at its start
    except ModelRefused as refusal:
        raise GateRefused(str(refusal)) from None
    with listen(HOST, port) as socket:
        address = f"http://{HOST}:{socket.getsockname()[1]}"
        screen.print(f"Efemera answers on {address} (model {forecaster.manifest.model_version}). Ctrl-C ends it.")
        try:
            server_of(handler).run(sockets=[socket])
        except KeyboardInterrupt:
            screen.print("ended")
