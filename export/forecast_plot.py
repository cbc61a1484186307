"""Plot forecasts: the fan after the last closes of a series, and scores session by session. Colours of all plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

INK, MUTED, ACCENT = "#1f2933", "#52606d", "#9a3412"
FAN = ("#fae3d6", "#f0bd9f", "#e2946b")  # widest interval first
COVERAGE = ("#9a3412", "#d97941", "#52606d")  # likewise; lines must be told apart
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


def plot_scores(path: Path, rows: dict[str, Any]) -> None:
    """Draw `lambda_fn.batch.score_table.read_scores`, session by session with all steps pooled, as a PNG.

    Above, the share of closes within each interval, beside its nominal level; below, the error against naive.
    """
    days = np.unique(rows["ds"])
    weights = rows["series"].astype(np.float64)

    def pooled(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average over the rows of each day, weighted by their forecasts: (days,)."""
        known = ~np.isnan(values)
        return np.array(
            [np.average(values[here], weights=weights[here]) if (here := (rows["ds"] == day) & known).any() else np.nan
             for day in days]
        )  # fmt: skip

    with mpl.rc_context({"font.size": 10, "axes.edgecolor": MUTED, "text.color": INK, "axes.labelcolor": INK}):
        figure = Figure(figsize=(9, 5.6), layout="constrained", dpi=130)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        names = sorted((name for name in rows if name.startswith("coverage-")), key=lambda name: -float(name[9:]))
        for tint, name in zip(COVERAGE, names, strict=False):
            level = float(name[9:])
            upper.plot(days, pooled(rows[name]), color=tint, linewidth=1.5, marker=".", label=f"{level:g}% interval")
            upper.axhline(level / 100, color=tint, linewidth=1, linestyle=(0, (3, 2)))
        upper.set_ylim(0, 1.02)
        upper.set_ylabel("closes within")
        upper.set_title("Forecasts against the closes that came", loc="left", fontweight="bold")
        upper.legend(loc="lower left", frameon=False, fontsize=9, ncols=3)
        lower.plot(days, pooled(rows["mae"]) / pooled(rows["mae_naive"]), color=ACCENT, linewidth=1.5, marker=".")
        lower.axhline(1, color=MUTED, linewidth=1, linestyle=(0, (3, 2)))
        lower.set_ylabel("error / naive")
        for axes in (upper, lower):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", color=MUTED, alpha=0.2)
        figure.autofmt_xdate()
        figure.savefig(path, metadata={"Software": None})
