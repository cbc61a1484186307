"""Forecast fans: a series' closes, and what was forecast of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from export.evaluation.report.numbers import number
from export.evaluation.report.style import new_figure, put_legend
from export.forecast_plot import ACCENT, FAN, INK

LEAD = 20  # sessions drawn before the first fan
LONGEST = 24  # letters of a name in a title


@dataclasses.dataclass(frozen=True, eq=False)
class Fan:
    """What was forecast of one series, and what came."""

    rank: str  # "best", "median" or "worst" by `ratio`
    name: str
    ratio: float  # pinball loss against EWMA's, one session ahead
    dates: NDArray[np.datetime64]  # (n,) datetime64[D], rising
    closes: NDArray[np.float64]  # (n,)
    cutoffs: NDArray[np.datetime64]  # (k,) which of the dates have a fan, rising
    quantiles: NDArray[np.float64]  # (k, horizon, levels) prices


def draw_fans(fans: Sequence[Fan], levels: Sequence[float]) -> Figure:
    """A panel a series."""
    figure, grid = new_figure(0.6 + 2.5 * len(fans), len(fans))
    for axes, fan in zip(grid, fans, strict=True):
        _fan(axes, fan, levels)
    put_legend(figure, grid[0], 5)
    return figure


def _fan(axes: Axes, fan: Fan, levels: Sequence[float]) -> None:
    ahead = fan.quantiles.shape[1]
    at = np.searchsorted(fan.dates, fan.cutoffs)  # (k,)
    start, stop = max(0, int(at[0]) - LEAD), min(len(fan.dates), int(at[-1]) + ahead + 1)
    middle = len(levels) // 2
    for turn, (row, quantiles) in enumerate(zip(at, fan.quantiles, strict=True)):
        x = row + np.arange(ahead + 1)
        opened = np.vstack([np.full(len(levels), fan.closes[row]), quantiles])  # (horizon + 1, levels)
        for inner, tint in zip(range(middle), FAN, strict=False):
            label = f"{100 * (levels[-1 - inner] - levels[inner]):g}% interval" if not turn else None
            axes.fill_between(x, opened[:, inner], opened[:, -1 - inner], color=tint, linewidth=0, label=label)
        axes.plot(x, opened[:, middle], color=ACCENT, linewidth=1.3, label=None if turn else "median")
    axes.plot(np.arange(start, stop), fan.closes[start:stop], color=INK, linewidth=1.3, label="close")
    ticks = np.unique(np.linspace(start, stop - 1, 4).astype(int))
    axes.set_xticks(ticks, [str(fan.dates[tick]) for tick in ticks])
    axes.margins(x=0.02)
    name = " ".join(fan.name.split())
    name = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
    axes.set_title(f"{fan.rank.capitalize()}: {name}, loss {number(fan.ratio, 3)} × EWMA’s")
    axes.set_ylabel("closing price")
