"""Find jumps that look like a stock split nobody adjusted for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

_WHOLE = (2, 3, 4, 5, 8, 10, 20, 50, 100)
_RATIOS = sorted({Fraction(3, 2), Fraction(2, 3), *map(Fraction, _WHOLE), *(Fraction(1, n) for n in _WHOLE)})
_RETURN = 0.40  # simple return beyond which a jump is looked at
# The day's own move comes on top of the split. Of the days of seven stocks (1998-2021) 86% moved less than
# 3%; at 5% the true crashes of AAPL (2000-09-29, 0.484) and AIG (2008-09-17, 0.52) would be taken for splits.
_TOLERANCE = 0.03


@dataclasses.dataclass(frozen=True, eq=False)
class Jumps:
    """Closes that are near a simple multiple or fraction of the close before them."""

    rows: NDArray[np.int64]  # (jumps,) the row of the close after the jump, ascending
    ratios: NDArray[np.float64]  # (jumps,) that close to the one before it
    near: list[Fraction]  # (jumps,) the simple ratio


def split_like_jumps(starts: NDArray[np.int64], y: NDArray[np.float64]) -> Jumps:
    """The jumps in `y` (rows,) that look like splits; `starts` (series + 1,) as in `Prices`, no series empty."""
    ratio = y[1:] / y[:-1]  # (rows - 1,)
    jumped = np.abs(ratio - 1) > _RETURN
    jumped[starts[1:-1] - 1] = False  # from one series to the next
    rows = np.flatnonzero(jumped)
    distance = np.abs(ratio[rows, None] / np.array(_RATIOS, dtype=np.float64) - 1)  # (jumps, simple ratios)
    nearest = distance.argmin(axis=1)
    alike = distance.min(axis=1) <= _TOLERANCE
    rows = rows[alike]
    return Jumps(rows + 1, ratio[rows], [_RATIOS[position] for position in nearest[alike]])


def suspected_splits(
    ids: Sequence[str], starts: NDArray[np.int64], ds: NDArray[np.datetime64], y: NDArray[np.float64]
) -> list[str]:
    """One warning for each jump in `y` that looks like a split.

    `ids` (series,), `starts` (series + 1,), `ds` and `y` (rows,), ordered as in `Prices`.
    """
    jumps = split_like_jumps(starts, y)
    owners = np.searchsorted(starts, jumps.rows, side="right") - 1
    return [
        f"warning: {ids[owner]} on {ds[row]}: the close went from {y[row - 1]:g} to {y[row]:g}, "
        f"a ratio of {ratio:.4g}, close to {near}; it may be a split left unadjusted"
        for owner, row, ratio, near in zip(owners, jumps.rows, jumps.ratios, jumps.near, strict=True)
    ]
