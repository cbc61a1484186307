"""Finds jumps that look like a stock split nobody adjusted for."""

from __future__ import annotations

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


def suspected_splits(
    ids: Sequence[str], starts: NDArray[np.int64], ds: NDArray[np.datetime64], y: NDArray[np.float64]
) -> list[str]:
    """One warning for each close that is near a simple multiple or fraction of the close before it.

    `ids` (series,), `starts` (series + 1,), `ds` and `y` (rows,), ordered as in `Prices`.
    """
    ratio = y[1:] / y[:-1]  # (rows - 1,)
    jumped = np.abs(ratio - 1) > _RETURN
    jumped[starts[1:-1] - 1] = False  # from one series to the next
    warnings = []
    for row in np.flatnonzero(jumped):
        near = min(_RATIOS, key=lambda simple: abs(ratio[row] / float(simple) - 1))
        if abs(ratio[row] / float(near) - 1) <= _TOLERANCE:
            name = ids[int(np.searchsorted(starts, row, side="right")) - 1]
            warnings.append(
                f"warning: {name} on {ds[row + 1]}: the close went from {y[row]:g} to {y[row + 1]:g}, "
                f"a ratio of {ratio[row]:.4g}, close to {near}; it may be a split left unadjusted"
            )
    return warnings
