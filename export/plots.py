"""Pictures: the last closes of a series with the forecast fan beside the naive line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

INK, MUTED, ACCENT = "#1f2933", "#52606d", "#9a3412"
FAN = ("#fae3d6", "#f0bd9f", "#e2946b")  # widest interval first
SHOWN = 60  # closes before the forecast: what the network reads


def plot_forecast(
    path: Path,
    title: str,
    days: NDArray[np.datetime64],
    closes: NDArray[np.float64],
    forecast: dict[str, Any],
) -> None:
    """Draw one answer of `POST /predict` after the closes (rows,) it was made from, as a PNG.

    The last closes are drawn session by session; the fan's steps are the next sessions.
    """
    days, closes = days[-SHOWN:], closes[-SHOWN:]
    steps = forecast["steps"]
    ahead = np.arange(len(steps) + 1)  # 0 is the last close
    last = float(closes[-1])
    with mpl.rc_context({"font.size": 10, "axes.edgecolor": MUTED, "text.color": INK, "axes.labelcolor": INK}):
        figure = Figure(figsize=(9, 4.6), layout="constrained", dpi=130)
        axes = figure.subplots()
        axes.plot(np.arange(1 - len(closes), 1), closes, color=INK, linewidth=1.4, label="close")
        for tint, level in zip(FAN, steps[0]["intervals"], strict=False):
            low, high = ([last] + [step["intervals"][level][side] for step in steps] for side in (0, 1))
            axes.fill_between(ahead, low, high, color=tint, linewidth=0, label=f"{level}% interval")
        axes.plot(
            ahead,
            [last] + [step["median"] for step in steps],
            color=ACCENT,
            linewidth=1.8,
            label="Efemera, median",
        )
        axes.plot(
            ahead,
            np.full(len(ahead), last),
            color=MUTED,
            linewidth=1.4,
            linestyle=(0, (3, 2)),
            label="naive: the last close",
        )
        ticks = np.unique(np.linspace(0, len(days) - 1, 6).astype(int))
        axes.set_xticks(ticks - len(days) + 1, [str(days[tick]) for tick in ticks])
        axes.set_xlim(1 - len(closes), len(steps) + 1)
        axes.set_title(f"{title}: {len(steps)} sessions after {days[-1]}", loc="left", fontweight="bold")
        axes.set_ylabel("closing price")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=MUTED, alpha=0.2)
        axes.legend(loc="best", frameon=False, fontsize=9)
        figure.savefig(path, metadata={"Software": None})
