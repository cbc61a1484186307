"""Chooses what the report draws of an evaluation: fans on the best, the median and the worst series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from export.data.prices import Prices
from export.evaluation.cases import Array
from export.evaluation.evaluate import Judged
from export.evaluation.metrics import mean_pinball
from export.evaluation.report.fan_plots import Fan
from export.evaluation.report.numbers import quotient
from export.evaluation.scorecard import OURS

FANS = 10  # drawn of a series, `horizon` sessions apart, before its last cutoff


def fans_of(prices: Prices, judged: Judged, levels: Sequence[float]) -> tuple[Fan, ...]:
    """By pinball loss against EWMA one step ahead; one fan for one series, two for two."""
    cases, ours, ewma = judged.cases, judged.forecasts[OURS].quantiles, judged.forecasts["ewma"].quantiles
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
    return tuple(_fan(prices, judged, owner, rank, ratios[owner], ours) for owner, rank in chosen.items())


def _fan(prices: Prices, judged: Judged, owner: int, rank: str, ratio: float, ours: Array) -> Fan:
    cases = judged.cases
    own = np.flatnonzero(cases.owners == owner)
    drawn = own[:: -cases.horizon][:FANS][::-1]
    dates, closes = prices.series(prices.ids[owner])
    last = prices.y[cases.rows[drawn]]  # (fans,)
    return Fan(
        rank, prices.ids[owner], ratio, dates, closes, cases.cutoffs[drawn], np.exp(ours[drawn]) * last[:, None, None]
    )
