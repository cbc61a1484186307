"""The panels of an explained forecast, each over the days of the window: what is drawn is what the answer says."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from export.forecast_plot import ACCENT, FAN, INK, MUTED
from export.screen import price

BELOW = "#2b6c8f"  # of what is subtracted
GATES, SIGNED = "viridis", "RdBu_r"  # a gate lies between 0 and 1, a state on either side of 0
STATES = ("candidate", "cell", "hidden")
LETTERS = {"forget": "f", "input": "i", "output": "o", "reset": "r", "update": "z"}  # of the equations
LETTERS |= {"candidate": "g", "cell": "c", "hidden": "h"}
ROOM = 5  # days' room at the right at least: for the fan, and under it the colour bars
SHARE = 99.5  # percent of the values that a map's colours tell apart
DATES = 6


def gate_names(answer: dict[str, Any]) -> list[str]:
    """The gates and states that this cell has, in the answer's order."""
    return [name for name in answer["gates"][0] if name != "order"]


def column(answer: dict[str, Any], name: str) -> NDArray[np.float64]:
    """One member of every day: (window,)."""
    return np.array([day[name] for day in answer["days"]])


def of_layer(answer: dict[str, Any], layer: int, name: str) -> NDArray[np.float64]:
    """One member of a layer on every day: (window,)."""
    return np.array([day["layers"][layer][name] for day in answer["days"]])


def draw_price(axes: Axes, answer: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    """The closes, the fan of the forecast after them and the naive line."""
    closes, last = column(answer, "price"), answer["last_price"]
    days, window = np.arange(len(closes)), len(closes)
    ahead = window - 1 + np.arange(len(steps) + 1)  # from the last close on
    for tint, level in zip(FAN, steps[0]["intervals"], strict=False):
        low, high = ([last] + [step["intervals"][level][side] for step in steps] for side in (0, 1))
        axes.fill_between(ahead, low, high, color=tint, linewidth=0, label=f"{level}%")
    axes.plot(days, closes, color=INK, linewidth=1.3, label="close")
    axes.plot(ahead, [last] + [step["median"] for step in steps], color=ACCENT, linewidth=1.6, label="median")
    axes.plot(ahead, np.full(len(ahead), last), color=MUTED, linewidth=1.2, linestyle=(0, (3, 2)), label="naive")
    dates = [day.get("date", str(day["day"])) for day in answer["days"]]
    ticks = np.unique(np.linspace(0, window - 1, DATES).round().astype(int))
    axes.set_xticks(ticks, [dates[tick] for tick in ticks])
    axes.set_xlim(-0.8, window - 0.5 + max(ROOM, len(steps)) + 1)
    axes.tick_params(labelbottom=True, bottom=True)
    axes.set_ylabel("close")
    axes.grid(axis="y", color=MUTED, alpha=0.2)
    axes.legend(loc="best", ncols=3, frameon=True, edgecolor="none", facecolor="white", framealpha=0.8)


def _title(axes: Axes, words: str) -> None:
    """Over the panel, on white: lines from other panels end at it."""
    ground = {"facecolor": "white", "linewidth": 0, "pad": 1}
    axes.set_title(words, color=INK, fontweight="normal", bbox=ground)


def draw_added(axes: Axes, part: str, answer: dict[str, Any]) -> None:
    """What each day added to the median or to the width, in price."""
    added = column(answer, part)
    axes.bar(np.arange(len(added)), added, width=0.8, color=np.where(added < 0, BELOW, ACCENT).tolist())
    axes.axhline(0, color=MUTED, linewidth=0.6)
    first, last = answer["baseline"][part], answer["forecast"][part]
    if part == "median":
        naive = price(answer["last_price"])
        told = f"what each day added to the median: from {price(first)} to {price(last)}, naive {naive}"
    else:
        told = f"what each day added to the width of the {answer['level']:g}% interval: from {first:.3g} to {last:.3g}"
    _title(axes, told)
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(3))


def norms_of(answer: dict[str, Any]) -> dict[str, Normalize]:
    """The range of colours of each map, the same in every layer: all gates alike around 1/2, each state around 0."""
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
    """How far from `middle` all but the last values of a gate go, in the layer where they go furthest."""
    return max(
        float(np.percentile(np.abs(np.array(layer[name]) - middle), SHARE)) for layer in answer["gates"]
    )  # fmt: skip


def draw_units(panels: dict[str, Axes], answer: dict[str, Any], layer: int, norms: dict[str, Normalize]) -> None:
    """One layer: each gate and state as a map, days along and units up, with its colours at the right."""
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
    for group in _groups(list(panels)):
        _colours([panels[name] for name in group], window)


def _groups(names: list[str]) -> list[list[str]]:
    """The gates share their colours; each state has its own."""
    gates = [name for name in names if name not in STATES]
    return ([gates] if gates else []) + [[name] for name in names if name in STATES]


def _colours(panels: list[Axes], window: int) -> None:
    """A colour bar at the right of these maps, as high as they are."""
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
    for label, place_of_it in zip(axes.get_yticklabels(), ("bottom", "center", "top"), strict=True):
        label.set(verticalalignment=place_of_it)  # within the bar's own height


def draw_closed_and_kept(axes: Axes, answer: dict[str, Any], layer: int) -> None:
    """How many units forget on each day, and how much of what the cell held then is still there on the last."""
    kept, closed = of_layer(answer, layer, "kept"), of_layer(answer, layer, "closed") / answer["units"]
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
