"""How the figures of the laboratory look: the report's style, one colour a cell, numbers in the page's language."""

from __future__ import annotations

import io
from collections.abc import Callable

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from export.evaluation.report.style import STYLE
from export.forecast_plot import ACCENT, INK
from export.lab.language import Language, power_of_ten

LABELS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
LOOKS = {"rnn": (INK, "s"), "gru": ("#2b6c8f", "D"), "lstm": (ACCENT, "o")}


def png_of(draw: Callable[[], Figure]) -> bytes:
    """The figure as a PNG; equal figures give equal bytes."""
    with mpl.rc_context(STYLE):
        file = io.BytesIO()
        draw().savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def plain_ticks(axes: Axes, language: Language, which: str = "y") -> None:
    """Ticks of a linear axis with the language's decimal mark."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_formatter(lambda value, _: language.small(round(value, 10), 6))


def power_ticks(axes: Axes) -> None:
    """Ticks of a logarithmic y axis as powers of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))
    axes.yaxis.set_minor_formatter(lambda *_: "")
