"""Print for people: results to stdout, progress, notes and errors to stderr; a progress bar on a terminal."""

from __future__ import annotations

import json
import math
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

# No markup: what is shown holds names and paths of the user's, and a bracket in them is a bracket.
out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def say(text: str, style: str | None = None) -> None:
    """Print one line of progress to stderr."""
    err.print(text, style=style)


def say_notes(notes: tuple[str, ...]) -> None:
    """Print the notes of a reader: choices it made, rows it dropped, warnings."""
    for note in notes:
        say(note, "yellow")


def say_error(text: str) -> None:
    """Print the reason why the command stops."""
    err.print(Text.assemble(("efemera: ", "bold red"), text))


def print_json(value: Any) -> None:
    """Print a machine-readable result, unwrapped and uncoloured."""
    print(json.dumps(value, indent=1, ensure_ascii=False))  # noqa: T201 - stdout is the result


def progress_bar() -> Progress:
    """Build a bar with the time left on a terminal; nothing where stderr is a file."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def price(value: float) -> str:
    """Format a price to five digits, and never fewer than two decimals."""
    if value == 0 or not 1e-4 <= abs(value) < 1e9:
        return f"{value:.4e}"
    return f"{value:,.{max(2, 4 - math.floor(math.log10(abs(value))))}f}"
