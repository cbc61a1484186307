"""A made market: closes with clustered volatility, fat tails and a common factor, on the real days of an exchange."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from export.data.calendars import sessions
from export.data.price_table import Prices, starts_of
from export.errors import InputError

# GARCH(1,1): volatility returns to its level, 1.6% a day, faster (persistence 0.90) than EWMA's, which never does:
# something for a network to learn.
_ALPHA, _BETA, _LEVEL = 0.15, 0.75, 0.016**2
_FREEDOM = 5  # of Student's t
MOST_CLOSES = 200_000_000  # 8 GB of memory
_EARLIEST = np.datetime64("1900-01-01")
_SHARED = (0.1, 0.5)  # from which to which part of its variance a series has from the common factor


def made_market(
    series: int, days: int, seed: int, on_day: Callable[[int], None] = lambda _: None
) -> NDArray[np.float64]:
    """Simulate closes (series, days): log returns are GARCH(1,1), their shocks a common factor's and their own.

    Volatility: Bollerslev, "A conditionally heteroskedastic time series model for speculative prices" (1987). No
    return can be foreseen, only its spread. `on_day` hears the number of each day made.
    """
    generator = np.random.default_rng(seed)
    shared = generator.uniform(*_SHARED, series)
    log_price = np.log(generator.uniform(10, 200, series))
    variance = np.full(series, _LEVEL)
    closes = np.empty((days, series))
    for day in range(days):
        shocks = generator.standard_t(_FREEDOM, series + 1) * np.sqrt((_FREEDOM - 2) / _FREEDOM)  # unit variance
        returns = np.sqrt(variance) * (np.sqrt(shared) * shocks[0] + np.sqrt(1 - shared) * shocks[1:])
        variance = _LEVEL * (1 - _ALPHA - _BETA) + _ALPHA * returns**2 + _BETA * variance
        log_price += returns
        np.exp(log_price, out=closes[day])
        on_day(day)
    return np.ascontiguousarray(closes.T)


def sample_prices(
    series: int, days: int, seed: int, calendar: str, end: np.datetime64, on_day: Callable[[int], None] = lambda _: None
) -> Prices:
    """A made market on the last `days` sessions of `calendar` up to `end`; series are MADE1, MADE2, … padded to sort.

    Raises `InputError` for a calendar that is unknown or does not reach back so far.
    """
    if series * days > MOST_CLOSES:
        raise InputError(f"--series {series} × --days {days}: makes more than {MOST_CLOSES:,} closes")
    end = end.astype("datetime64[D]")
    first = max(end - (days * 7 // 4 + 30), _EARLIEST)  # the leanest exchange trades 4 days in 7
    dates = sessions(calendar, first, max(end, first))[-days:]
    if len(dates) < days:
        raise InputError(f"--days {days}: {calendar} has {len(dates)} sessions up to {end}")
    closes = made_market(series, days, seed, on_day)
    ids = tuple(f"MADE{number:0{len(str(series))}}" for number in range(1, series + 1))
    starts = starts_of(np.full(series, days, dtype=np.int64))
    return Prices(ids, starts, np.tile(dates, series), closes.reshape(-1), (f"made market, seed {seed}",))
