"""Style of the laboratory's figures: one look a cell, ticks in the page's language."""

from __future__ import annotations

from matplotlib.axes import Axes

from export.forecast_plot import ACCENT, INK
from export.lab.language import Language, power_of_ten

LABELS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
LOOKS = {"rnn": (INK, "s"), "gru": ("#2b6c8f", "D"), "lstm": (ACCENT, "o")}  # colour and marker


def plain_ticks(axes: Axes, language: Language, which: str = "y") -> None:
    """Set the ticks of a linear axis with the language's decimal mark."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_formatter(lambda value, _: language.small(round(value, 10), 6))


def power_ticks(axes: Axes) -> None:
    """Set a logarithmic y axis with ticks as powers of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))
    axes.yaxis.set_minor_formatter(lambda *_: "")
