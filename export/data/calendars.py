"""Which days an exchange trades, from exchange_calendars; the training side only."""

from __future__ import annotations

import difflib

import numpy as np
from numpy.typing import NDArray

from export.errors import InputError

WEEKDAYS = "weekdays"
FROZEN = ("BVMF", "XNYS", "24/7", WEEKDAYS)  # B3, NYSE, what never closes, and Monday to Friday


def sessions(calendar: str, first: np.datetime64, last: np.datetime64) -> NDArray[np.datetime64]:
    """The trading days of `calendar` from `first` to `last`, both included: (days,) datetime64[D].

    `calendar` is 'weekdays' or a name that exchange_calendars knows. Raises `InputError` for any other,
    and for days on which nobody knows when the exchange traded.
    """
    first, last = first.astype("datetime64[D]"), last.astype("datetime64[D]")
    if calendar == WEEKDAYS:
        days = np.arange(first, last + 1)
        return days[np.is_busday(days)]
    import exchange_calendars  # it loads pandas

    names = exchange_calendars.get_calendar_names()
    if calendar not in names:
        near = difflib.get_close_matches(calendar.upper(), names, n=3) or list(FROZEN)
        raise InputError(f"--calendar: there is no calendar {calendar!r}; near are {', '.join(near)}")
    try:  # a calendar must hold a session: a day more at each end is not enough over a long holiday
        found = exchange_calendars.get_calendar(calendar, start=str(first - 30), end=str(last + 30)).sessions
    except ValueError as error:
        raise InputError(f"--calendar {calendar}: {' '.join(str(error).split())}") from None
    days = found.to_numpy().astype("datetime64[D]")
    return np.asarray(days[(days >= first) & (days <= last)])
