"""Fan charts of the best, the median and the worst series: closes, and the forecasts made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from export.data.prices import Prices
from export.evaluation.backtest import Backtest
from export.evaluation.cases import Array
from export.evaluation.metrics import mean_pinball
from export.evaluation.report.numbers import number, quotient
from export.evaluation.report.style import new_figure, put_legend
from export.evaluation.scores import OURS
from export.forecast_plot import ACCENT, FAN, INK

FANS = 10  # drawn of a series, `horizon` sessions apart, before its last cutoff
LEAD = 20  # sessions drawn before the first fan
LONGEST = 24  # letters of a name in a title


@dataclasses.dataclass(frozen=True, eq=False)
class Fan:
    """The forecasts of one series beside its closes."""

    rank: str  # "best", "median" or "worst" by `ratio`
    name: str
    ratio: float  # pinball loss against EWMA's, one session ahead
    dates: NDArray[np.datetime64]  # (n,) datetime64[D], rising
    closes: NDArray[np.float64]  # (n,)
    cutoffs: NDArray[np.datetime64]  # (k,) which of the dates have a fan, rising
    quantiles: NDArray[np.float64]  # (k, horizon, levels) prices


def fans_of(prices: Prices, backtest: Backtest, levels: Sequence[float]) -> tuple[Fan, ...]:
    """Choose series by pinball loss against EWMA one step ahead, best first; one of one series, two of two."""
    cases, ours, ewma = backtest.cases, backtest.forecasts[OURS].quantiles, backtest.forecasts["ewma"].quantiles
    assert ours is not None
    assert ewma is not None
    ratios = {}
    for owner in np.unique(cases.owners):
        own = cases.owners == owner
        first, theirs = (mean_pinball(cases.returns[own, 0], one[own, 0], levels) for one in (ours, ewma))
        ratios[int(owner)] = quotient(first, theirs)  # nan for a series that stands still
    ratios = {owner: ratio for owner, ratio in ratios.items() if np.isfinite(ratio)}
    if not ratios:
        return ()
    order = sorted(ratios, key=lambda owner: ratios[owner])
    places = {"best": 0, "median": len(order) // 2, "worst": len(order) - 1}
    chosen: dict[int, str] = {}
    for rank, place in places.items():
        chosen.setdefault(order[place], rank)
    return tuple(_fan_of(prices, backtest, owner, rank, ratios[owner], ours) for owner, rank in chosen.items())


def _fan_of(prices: Prices, backtest: Backtest, owner: int, rank: str, ratio: float, ours: Array) -> Fan:
    cases = backtest.cases
    own = np.flatnonzero(cases.owners == owner)
    drawn = own[:: -cases.horizon][:FANS][::-1]
    dates, closes = prices.series(prices.ids[owner])
    last = prices.y[cases.rows[drawn]]  # (fans,)
    return Fan(
        rank, prices.ids[owner], ratio, dates, closes, cases.cutoffs[drawn], np.exp(ours[drawn]) * last[:, None, None]
    )


def draw_fans(fans: Sequence[Fan], levels: Sequence[float]) -> Figure:
    """Draw a panel a series."""
    figure, grid = new_figure(0.6 + 2.5 * len(fans), len(fans))
    for axes, fan in zip(grid, fans, strict=True):
        _draw_fan(axes, fan, levels)
    put_legend(figure, grid[0], 5)
    return figure


def _draw_fan(axes: Axes, fan: Fan, levels: Sequence[float]) -> None:
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
