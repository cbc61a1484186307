"""Draw an explanation on one page: price and forecast, each day's contribution, the gates of each layer, notes."""

from __future__ import annotations

import dataclasses
import textwrap
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from export.evaluation.report.style import STYLE
from export.explain.panels import colour_norms, draw_contributions, draw_memory, draw_price, draw_units, gate_names
from export.forecast_plot import ACCENT, INK, MUTED
from export.screen import price

WIDTH, LEFT, RIGHT = 11.0, 0.95, 0.3  # inches
DPI = 150
LINE_ZORDER = 0.5  # over the maps (0), under the panels that have lines, bars and words of their own (1)
NOTE_CHARACTERS = 128  # in a line
LONGEST_NAME = 40
METADATA: dict[str, dict[str, Any]] = {  # no time, no version: equal answers give equal files
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
LOOK = STYLE | {"font.size": 9, "axes.titlesize": 9, "axes.titlepad": 3, "legend.fontsize": 8.5, "svg.hashsalt": "e"}


def save_explanation(path: Path, name: str, answer: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    """Draw an answer of `POST /explain` in full and the steps of `POST /predict` as PNG, SVG or PDF."""
    kind = path.suffix.lower()
    with mpl.rc_context(LOOK), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name may have letters that the font lacks
        explanation_figure(name, answer, steps).savefig(path, format=kind[1:], metadata=METADATA[kind])


@dataclasses.dataclass
class _Page:
    """Lays panels one under the other, all of them over the same days."""

    figure: Figure
    height: float
    used: float = 0.0  # inches from the top
    panels: list[Axes] = dataclasses.field(default_factory=list)

    def panel(self, label: str, height: float, gap: float, zorder: float = 1) -> Axes:
        """Add the next panel, `gap` inches under the last."""
        bottom = self.height - self.used - gap - height
        box = (LEFT / WIDTH, bottom / self.height, (WIDTH - LEFT - RIGHT) / WIDTH, height / self.height)
        shared = self.panels[0] if self.panels else None
        axes: Axes = self.figure.add_axes(box, label=label, zorder=zorder, sharex=shared)
        axes.tick_params(labelbottom=False, bottom=False)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.patch.set_visible(False)
        self.used += gap + height
        self.panels.append(axes)
        return axes

    def text(self, words: str, gap: float, x: float = LEFT, **look: Any) -> None:
        """Add lines of text whose top is `gap` inches under what is there."""
        self.used += gap
        self.figure.text(x / WIDTH, 1 - self.used / self.height, words, va="top", **look)


def explanation_figure(name: str, answer: dict[str, Any], steps: list[dict[str, Any]]) -> Figure:
    """Lay out the page. Panels have labels: price, median, width, then the gates of layer N as "forget N" and so on."""
    notes = [
        "\n".join(textwrap.wrap(f"{note['date']}: {note['text']}", NOTE_CHARACTERS)) for note in answer["notes"]
    ] or ["no day of this window stands out"]  # fmt: skip
    numbers: dict[int, list[int]] = {}
    for number, note in enumerate(answer["notes"], start=1):
        numbers.setdefault(note["day"], []).append(number)
    stacked = max(map(len, numbers.values()), default=0)  # numbers above one day
    parts = [part for part in ("median", "width") if part in answer["forecast"]]
    names = gate_names(answer)
    lines = sum(note.count("\n") + 1 for note in notes)
    height = 3.05 + 0.14 * stacked + 0.85 * len(parts) + 0.17 * lines + 0.06 * len(notes)
    height += answer["layers"] * (0.47 + 0.5 * len(names) + (0.95 if "reach" in answer else 0.1))
    page = _Page(Figure(figsize=(WIDTH, height), dpi=DPI), height)

    _draw_head(page, name, answer, steps)
    top = page.panel("price", 1.9, 0.2 + 0.14 * stacked)
    draw_price(top, answer, steps)
    for number, part in enumerate(parts):
        draw_contributions(page.panel(part, 0.55, 0.3 if number else 0.45), part, answer)
    norms = colour_norms(answer)
    for layer in range(answer["layers"]):
        order = "; those that move together stand side by side" if answer["units"] > 1 else ""
        page.text(f"Layer {layer + 1}", 0.17, fontsize=11, fontweight="bold", color=INK)
        ground = {"facecolor": "white", "linewidth": 0, "pad": 1}  # no line runs through it
        subtitle = f"{answer['units']} units from top to bottom{order}"
        page.text(subtitle, 0.03, LEFT + 0.72, fontsize=8.5, color=MUTED, bbox=ground)
        page.used += 0.22
        panels = {gate: page.panel(f"{gate} {layer + 1}", 0.45, 0.05, 0) for gate in names}
        draw_units(panels, answer, layer, norms)
        if "reach" in answer:
            draw_memory(page.panel(f"kept {layer + 1}", 0.55, 0.3), answer, layer)
    page.panels[-1].tick_params(labelbottom=True, bottom=True)
    _mark_days(page, numbers)
    page.used += 0.33
    for number, note in enumerate(notes, start=1):
        if answer["notes"]:
            _draw_badge(page, number, LEFT - 0.16, page.used + 0.09)
        page.text(note, 0.0, fontsize=9, color=INK, linespacing=1.25)
        page.used += 0.17 * (note.count("\n") + 1) + 0.06
    return page.figure


def _draw_head(page: _Page, name: str, answer: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    """Write the title, and under it the interval, the verdict and the agreement of equations and graph."""
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    title = f"{short}: why {price(answer['predicted_price'])} after {answer['days'][-1]['date']}"
    level, agreement = answer["level"], answer["agreement"]
    bounds = f"{level:g}% interval {'–'.join(map(price, steps[0]['intervals'][f'{level:g}']))}" if level else ""
    facts = (
        f"naive {price(answer['last_price'])}", bounds, f"verdict: {answer['verdict']}",
        f"equations and ONNX agree within {agreement['difference']:.1e} (limit {agreement['tolerance']:.1e})",
        "no investment advice", *answer["warnings"],
    )  # fmt: skip
    page.text(title, 0.18, 0.3, fontsize=15, fontweight="bold", color=INK)
    page.text("  ·  ".join(filter(None, facts)), 0.29, 0.3, fontsize=9, color=MUTED)
    page.used += 0.1


def _mark_days(page: _Page, numbers: dict[int, list[int]]) -> None:
    """Draw a thin line through all panels at each day with notes, and their numbers over it."""
    top, bottom = page.panels[0], page.panels[-1]
    box = top.get_position()
    for day, of_day in numbers.items():
        page.figure.add_artist(
            ConnectionPatch(
                (day, 1), (day, 0), top.get_xaxis_transform(), bottom.get_xaxis_transform(),
                color=INK, linewidth=0.6, linestyle=(0, (2, 1.6)), zorder=LINE_ZORDER,
            )
        )  # fmt: skip
        low, high = top.get_xlim()
        x = WIDTH * (box.x0 + box.width * (day - low) / (high - low))
        for above, number in enumerate(reversed(of_day)):
            _draw_badge(page, number, x, page.height * (1 - box.y1) - 0.09 - 0.14 * above)


def _draw_badge(page: _Page, number: int, x: float, down: float) -> None:
    """Draw a note's number in a dot, at these inches from the left and from the top."""
    page.figure.text(
        x / WIDTH, 1 - down / page.height, str(number), fontsize=6.5, fontweight="bold", color="white",
        ha="center", va="center", bbox={"boxstyle": "circle,pad=0.18", "facecolor": ACCENT, "linewidth": 0},
    )  # fmt: skip
