"""Cut price tables into windows and split them by date, so that no part's targets are seen in another."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.data.prices import Prices
from export.errors import InputError

Rows = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Split:
    """First row of each window, by part, and the sessions that bound the parts.

    A window's targets are the `horizon` closes after it. Every training target lies before `validation_from`;
    every validation target lies at least `horizon` sessions later and before `test_from`; the test part likewise.
    Windows may read closes of an earlier part: they are known by then.
    """

    train: Rows
    validation: Rows
    test: Rows
    validation_from: np.datetime64
    test_from: np.datetime64


def first_rows(prices: Prices, window: int, horizon: int) -> Rows:
    """Return the row of the first close of every window that has its `horizon` targets, in table order; (windows,)."""
    spans = (
        np.arange(start, end - window - horizon + 1, dtype=np.int64)
        for start, end in zip(prices.starts[:-1], prices.starts[1:], strict=True)
    )
    return np.concatenate([np.empty(0, np.int64), *spans])


def split_by_date(prices: Prices, window: int, horizon: int, validation_share: float, test_share: float) -> Split:
    """Split every window of every series at the same two sessions, with a gap of `horizon` sessions at each.

    The shares are of the sessions on which any series traded. Raises `InputError` when a part stays empty.
    """
    sessions = np.unique(prices.ds)  # (sessions,)
    validation_from, test_from = (
        int(len(sessions) * share) for share in (1 - validation_share - test_share, 1 - test_share)
    )
    first = first_rows(prices, window, horizon)  # (windows,)
    first_target = np.searchsorted(sessions, prices.ds[first + window])
    last_target = np.searchsorted(sessions, prices.ds[first + window + horizon - 1])
    parts = {
        "training": first[last_target < validation_from],
        "validation": first[(first_target >= validation_from + horizon) & (last_target < test_from)],
        "test": first[first_target >= test_from + horizon],
    }
    for name, rows in parts.items():
        if not len(rows) and (name != "test" or test_share):
            raise InputError(
                f"no window is left for the {name} part: {len(sessions)} sessions, windows of {window} + {horizon}, "
                f"{validation_share:.0%} for validation and {test_share:.0%} for test"
            )
    last = len(sessions) - 1
    return Split(
        parts["training"], parts["validation"], parts["test"], sessions[validation_from], sessions[min(test_from, last)]
    )


def cut_windows(closes: Tensor, first: Tensor, window: int, horizon: int) -> tuple[Tensor, Tensor]:
    """Cut the windows that start at the rows `first` (windows,) of `closes` (rows,).

    Returns their closes (windows, window) and the closes after them (windows, horizon), float64.
    """
    rows = first.unsqueeze(1) + torch.arange(window + horizon, device=first.device)
    cut = closes[rows]  # (windows, window + horizon)
    return cut[:, :window], cut[:, window:]
