"""Trading days of exchanges, from exchange_calendars, and the calendar of each series; the training side only."""

from __future__ import annotations

import contextlib
import datetime
import difflib
import fnmatch
import re
from collections.abc import Sequence

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
        exchange = exchange_calendars.get_calendar(calendar, start=str(start), end=str(end))
    except ValueError:  # it knows some years only: these days are outside, or the margin alone is
        known = exchange_calendars.get_calendar(calendar)
        low = max(_EARLIEST, _day(known.bound_min(), _EARLIEST))
        high = min(_LATEST, _day(known.bound_max(), _LATEST))
        if first < low or last > high:
            raise InputError(
                f"--calendar {calendar}: its sessions are known from {low} to {high}, asked for are {first} to {last}"
            ) from None
        start, end = max(start, low), min(end, high)
        exchange = exchange_calendars.get_calendar(calendar, start=str(start), end=str(end))
    return np.asarray(exchange.sessions.to_numpy().astype("datetime64[D]"))


def _day(bound: object, default: np.datetime64) -> np.datetime64:
    """A calendar's own bound, a pandas timestamp, as a day; `default` where it has none."""
    return default if bound is None else np.datetime64(str(bound)[:10])


def check_choices(choices: Sequence[str]) -> None:
    """Refuse choices that could suit no series: an unknown calendar, or two for the same; see `calendars_of`."""
    patterns = set()
    for choice in choices:
        pattern, calendar = _parts(choice)
        check_calendar(calendar)
        if pattern in patterns:
            raise InputError(f"--calendar {choice}: a second calendar for {pattern or 'all other series'}")
        patterns.add(pattern)


def calendars_of(ids: Sequence[str], choices: Sequence[str], left_out: Sequence[str] = ()) -> tuple[str | None, ...]:
    """The calendar of each series (series,), or None for one that has none.

    A choice is 'NAME' for every series without one of its own, or 'ID=NAME', where ID is a unique_id or a pattern
    with *, ? and []; an id's own choice counts before the patterns, of which the first that fits counts.
    Raises `InputError` where an ID fits neither any of `ids` nor of `left_out`.
    """
    by_pattern = dict(map(_parts, choices))
    default = by_pattern.pop("", None)
    globs = [pattern for pattern in by_pattern if any(sign in pattern for sign in "*?[")]
    fitting = {unique_id: _fitting(unique_id, by_pattern, globs) for unique_id in (*ids, *left_out)}
    used = {pattern for patterns in fitting.values() for pattern in patterns}
    for pattern in by_pattern:
        if pattern not in used:
            shown = ", ".join(ids[:3]) + ", …" * (len(ids) > 3)
            raise InputError(
                f"--calendar {pattern}={by_pattern[pattern]}: no series fits {pattern!r}; there are {shown}"
            )
    return tuple(by_pattern[fitting[unique_id][0]] if fitting[unique_id] else default for unique_id in ids)


def _fitting(unique_id: str, by_pattern: dict[str, str], globs: Sequence[str]) -> list[str]:
    """The patterns that fit, the one that counts first."""
    own = [unique_id] if unique_id in by_pattern else []
    return own + [glob for glob in globs if glob != unique_id and fnmatch.fnmatchcase(unique_id, glob)]


def _parts(choice: str) -> tuple[str, str]:
    """Pattern and calendar; the last = parts them, since ids such as EURUSD=X hold one."""
    pattern, _, calendar = choice.rpartition("=")
    return pattern.strip(), calendar.strip()


def parse_day(text: str) -> datetime.date | None:
    """The date in YYYY-MM-DD and no other form, or None: `fromisoformat` takes 20240102 and 2024-W01-2 as well."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        with contextlib.suppress(ValueError):
            return datetime.date.fromisoformat(text)
    return None
