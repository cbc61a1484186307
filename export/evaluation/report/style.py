"""Style of the pictures of reports: fonts, size, panels, legend; rendering to PNG."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from export.forecast_plot import INK, MUTED

STYLE: dict[Any, Any] = {
    "font.size": 10.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "date.converter": "concise",
    "figure.constrained_layout.h_pad": 0.08,  # inches, between panels
    "figure.constrained_layout.w_pad": 0.08,
    "legend.fontsize": 9.5,
    "legend.columnspacing": 1.3,
    "legend.handlelength": 1.5,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,  # a series may be called US$BRL$
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}
DPI = 200
WIDTH = 5.8  # inches: narrow, so that the letters stay legible on a phone
DOTTED = (0, (3, 2))
FEW = 24  # months or epochs up to which each is marked by a dot


def new_figure(height: float, panels: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """Make panels one above the other, `height` inches in all."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained", dpi=DPI)
    grid = list(figure.subplots(panels, 1, squeeze=False, **options)[:, 0])
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=MUTED, alpha=0.2)
        axes.set_axisbelow(True)
    return figure, grid


def put_legend(figure: Figure, axes: Axes, columns: int = 3) -> None:
    """Put the labels of one panel under them all."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns)


def png_of(draw: Callable[..., Figure | None], *arguments: Any) -> bytes:
    """Draw in this style and render as a PNG, empty without a figure; equal figures give equal bytes."""
    with mpl.rc_context(STYLE):
        figure, file = draw(*arguments), io.BytesIO()
        if figure:
            figure.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()
