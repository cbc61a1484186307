"""Draw the panels of an explanation, each over the days of the window: prices, contributions, gates, memory."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from export.forecast_plot import ACCENT, FAN, INK, MUTED
from export.screen import price

NEGATIVE = "#2b6c8f"  # colour of what is subtracted
GATES, SIGNED = "viridis", "RdBu_r"  # a gate lies between 0 and 1, a state on either side of 0
STATES = ("candidate", "cell", "hidden")
LETTERS = {"forget": "f", "input": "i", "output": "o", "reset": "r", "update": "z"}  # of the equations
LETTERS |= {"candidate": "g", "cell": "c", "hidden": "h"}
RIGHT_DAYS = 5  # days' room at the right at least: for the fan, and under it the colour bars
SHOWN_PERCENT = 99.5  # of the values that a map's colours tell apart
DATE_TICKS = 6


def gate_names(answer: dict[str, Any]) -> list[str]:
    """List the gates and states that this cell has, in the answer's order."""
    return [name for name in answer["gates"][0] if name != "order"]


def day_values(answer: dict[str, Any], name: str) -> NDArray[np.float64]:
    """Collect one member of every day: (window,)."""
    return np.array([day[name] for day in answer["days"]])


def layer_values(answer: dict[str, Any], layer: int, name: str) -> NDArray[np.float64]:
    """Collect one member of a layer on every day: (window,)."""
    return np.array([day["layers"][layer][name] for day in answer["days"]])


def draw_price(axes: Axes, answer: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    """Draw the closes, the fan of the forecast after them and the naive line."""
    closes, last = day_values(answer, "price"), answer["last_price"]
    days, window = np.arange(len(closes)), len(closes)
    ahead = window - 1 + np.arange(len(steps) + 1)  # from the last close on
    for tint, level in zip(FAN, steps[0]["intervals"], strict=False):
        low, high = ([last] + [step["intervals"][level][side] for step in steps] for side in (0, 1))
        axes.fill_between(ahead, low, high, color=tint, linewidth=0, label=f"{level}%")
    axes.plot(days, closes, color=INK, linewidth=1.3, label="close")
    axes.plot(ahead, [last] + [step["median"] for step in steps], color=ACCENT, linewidth=1.6, label="median")
    axes.plot(ahead, np.full(len(ahead), last), color=MUTED, linewidth=1.2, linestyle=(0, (3, 2)), label="naive")
    dates = [day.get("date", str(day["day"])) for day in answer["days"]]
    ticks = np.unique(np.linspace(0, window - 1, DATE_TICKS).round().astype(int))
    axes.set_xticks(ticks, [dates[tick] for tick in ticks])
    axes.set_xlim(-0.8, window - 0.5 + max(RIGHT_DAYS, len(steps)) + 1)
    axes.tick_params(labelbottom=True, bottom=True)
    axes.set_ylabel("close")
    axes.grid(axis="y", color=MUTED, alpha=0.2)
    axes.legend(loc="best", ncols=3, frameon=True, edgecolor="none", facecolor="white", framealpha=0.8)


def _title(axes: Axes, words: str) -> None:
    """Put a title over the panel, on white: lines from other panels end at it."""
    ground = {"facecolor": "white", "linewidth": 0, "pad": 1}
    axes.set_title(words, color=INK, fontweight="normal", bbox=ground)


def draw_contributions(axes: Axes, part: str, answer: dict[str, Any]) -> None:
    """Draw each day's contribution to the median or to the width, in price."""
    contributions = day_values(answer, part)  # (window,)
    colours = np.where(contributions < 0, NEGATIVE, ACCENT).tolist()
    axes.bar(np.arange(len(contributions)), contributions, width=0.8, color=colours)
    axes.axhline(0, color=MUTED, linewidth=0.6)
    first, last = answer["baseline"][part], answer["forecast"][part]
    if part == "median":
        naive = price(answer["last_price"])
        title = f"what each day added to the median: from {price(first)} to {price(last)}, naive {naive}"
    else:
        title = f"what each day added to the width of the {answer['level']:g}% interval: from {first:.3g} to {last:.3g}"
    _title(axes, title)
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(3))


def colour_norms(answer: dict[str, Any]) -> dict[str, Normalize]:
    """Return the colour range of each map, the same in every layer: all gates alike around 1/2, each state around 0."""
    names = gate_names(answer)
    gates = [name for name in names if name not in STATES]
    shared = max((_spread(answer, name, 0.5) for name in gates), default=0.0) or 0.5
    norms = {name: Normalize(0.5 - shared, 0.5 + shared) for name in gates}
    for name in names:
        if name in STATES:
            spread = _spread(answer, name, 0.0) or 1.0
            norms[name] = Normalize(-spread, spread)
    return norms


def _spread(answer: dict[str, Any], name: str, middle: float) -> float:
    """Return the largest distance of a gate from `middle`, but for outliers, over all layers."""
    return max(
        float(np.percentile(np.abs(np.array(layer[name]) - middle), SHOWN_PERCENT)) for layer in answer["gates"]
    )  # fmt: skip


def draw_units(panels: dict[str, Axes], answer: dict[str, Any], layer: int, norms: dict[str, Normalize]) -> None:
    """Draw one layer: each gate and state as a map, days along and units up, with its colours at the right."""
    gates, window = answer["gates"][layer], answer["window"]
    order = gates["order"]
    for name, axes in panels.items():
        values = np.array(gates[name]).T[order]  # (units, window)
        axes.imshow(
            values, aspect="auto", norm=norms[name], cmap=SIGNED if name in STATES else GATES,
            extent=(-0.5, window - 0.5, len(order) - 0.5, -0.5),
        )  # fmt: skip
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_ylabel(f"{name}  {LETTERS[name]}", rotation=0, ha="right", va="center", color=INK)
    for group in _colour_groups(list(panels)):
        _colour_bar([panels[name] for name in group], window)


def _colour_groups(names: list[str]) -> list[list[str]]:
    """Group the maps by colours: all gates share theirs, each state has its own."""
    gates = [name for name in names if name not in STATES]
    return ([gates] if gates else []) + [[name] for name in names if name in STATES]


def _colour_bar(panels: list[Axes], window: int) -> None:
    """Draw a colour bar at the right of these maps, as high as they are."""
    first, last = panels[0], panels[-1]
    assert first.figure is not None
    (low, high), box = first.get_xlim(), first.get_position()
    day = box.width / (high - low)
    bottom, top = last.get_position().y0, box.y1
    place = (box.x0 + day * (window - low + 0.2), bottom, day * 0.9, top - bottom)
    axes = first.figure.add_axes(place, label=f"colours of {first.get_label()}")
    image = first.images[0]
    bar = first.figure.colorbar(image, cax=axes)
    low, high = image.get_clim()
    ticks = (low, (low + high) / 2, high)
    bar.set_ticks(ticks, labels=[f"{value:.2g}".replace("-", "−") for value in ticks])
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=7, length=2, pad=2)
    for label, alignment in zip(axes.get_yticklabels(), ("bottom", "center", "top"), strict=True):
        label.set(verticalalignment=alignment)  # within the bar's own height


def draw_memory(axes: Axes, answer: dict[str, Any], layer: int) -> None:
    """Draw the share of units that forget on each day, and the share of that day's memory left on the last."""
    kept, closed = layer_values(answer, layer, "kept"), layer_values(answer, layer, "closed") / answer["units"]
    days = np.arange(len(kept))
    axes.fill_between(days, kept, color=FAN[1], linewidth=0)
    axes.plot(days, kept, color=ACCENT, linewidth=1.3)
    axes.plot(days, closed, color=INK, linewidth=1, drawstyle="steps-mid")
    reach = answer["reach"][layer]
    gate = "forget" if answer["cell"] == "lstm" else "update"
    sessions = f"{reach} session{'' if reach == 1 else 's'}"
    _title(
        axes,
        f"dark: share of units whose {gate} gate is below ½;  orange: what is kept to the last day"
        f" (at least half of it for {sessions})",
    )
    axes.set_ylim(0, 1.04)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
