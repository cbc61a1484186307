"""Bounds on a request: those of every model, and those of one."""

from __future__ import annotations

import msgspec

LOWEST_PRICE, HIGHEST_PRICE = 1e-9, 1e12
MOST_PRICES = 5000  # of one series
MOST_SERIES = 1000  # of one request: their answers are 1 MB of Lambda's 6
MOST_LEVELS = 20
LONGEST_ID = 200  # characters


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one model."""

    window: int  # closes that it reads
    horizon: int  # steps ahead
    levels: tuple[float, ...]  # of its intervals, in percent
    calendars: tuple[str, ...]
