"""Which days an exchange trades, from exchange_calendars; the training side only."""

from __future__ import annotations

import difflib

import numpy as np
from numpy.typing import NDArray

from export.errors import InputError

WEEKDAYS = "weekdays"
FROZEN = ("BVMF", "XNYS", "24/7", WEEKDAYS)  # B3, NYSE, what never closes, and Monday to Friday

_MARGIN = 30  # a calendar must hold a session: a day more at each end is not enough over a long holiday
# pandas counts nanoseconds up to 2262, and time zones of the 19th century stumble; between, every calendar answers.
_EARLIEST, _LATEST = np.datetime64("1900-01-01"), np.datetime64("2261-12-31")


def check_calendar(calendar: str) -> None:
    """Refuse, by an `InputError` with near names, what is neither 'weekdays' nor known to exchange_calendars."""
    if calendar == WEEKDAYS:
        return
    import exchange_calendars  # it loads pandas

    names = [WEEKDAYS, *exchange_calendars.get_calendar_names()]
    if calendar not in names:
        by_folded = {name.casefold(): name for name in names}
        near = [by_folded[name] for name in difflib.get_close_matches(calendar.casefold(), by_folded, n=3)]
        raise InputError(f"--calendar: there is no calendar {calendar!r}; near are {', '.join(near or FROZEN)}")


def sessions(calendar: str, first: np.datetime64, last: np.datetime64) -> NDArray[np.datetime64]:
    """The trading days of `calendar` from `first` to `last`, both included: (days,) datetime64[D].

    `calendar` is 'weekdays' or a name that exchange_calendars knows. Raises `InputError` for any other,
    and for days on which nobody knows when the exchange traded.
    """
    first, last = first.astype("datetime64[D]"), last.astype("datetime64[D]")
    if calendar == WEEKDAYS:
        days = np.arange(first, last + 1)
        return days[np.is_busday(days)]
    check_calendar(calendar)
    days = _all_sessions(calendar, first, last)
    return np.asarray(days[(days >= first) & (days <= last)])


def _all_sessions(calendar: str, first: np.datetime64, last: np.datetime64) -> NDArray[np.datetime64]:
    """The sessions from `first` to `last`, and perhaps some around them."""
    import exchange_calendars

    start, end = first - _MARGIN, last + _MARGIN
    try:
        if first < _EARLIEST or last > _LATEST:
            raise ValueError
        found = exchange_calendars.get_calendar(calendar, start=str(start), end=str(end))
    except ValueError:  # it knows some years only: these days are outside, or the margin alone is
        known = exchange_calendars.get_calendar(calendar)
        low = max(_EARLIEST, _day(known.bound_min(), _EARLIEST))
        high = min(_LATEST, _day(known.bound_max(), _LATEST))
        if first < low or last > high:
            raise InputError(
                f"--calendar {calendar}: its sessions are known from {low} to {high}, asked for are {first} to {last}"
            ) from None
        start, end = max(start, low), min(end, high)
        found = exchange_calendars.get_calendar(calendar, start=str(start), end=str(end))
    return np.asarray(found.sessions.to_numpy().astype("datetime64[D]"))


def _day(bound: object, default: np.datetime64) -> np.datetime64:
    """A calendar's own bound, a pandas timestamp, as a day; `default` where it has none."""
    return default if bound is None else np.datetime64(str(bound)[:10])
