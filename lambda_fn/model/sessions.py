"""Date the sessions around a day from `sessions.json`, without a calendar library."""

from __future__ import annotations

import datetime
import hashlib
from bisect import bisect_right
from pathlib import Path

import msgspec

from lambda_fn import MODELS

SCHEMA_VERSION = 1
WEEKDAYS = "weekdays"  # the calendar that needs no file


class SessionsRefused(Exception):
    """`sessions.json` is there and is not what its own digest says; the message names it."""


class Frozen(msgspec.Struct):
    """Contents of `sessions.json` (schema: models/schemas/sessions.schema.json)."""

    schema_version: int
    created_at: str
    exchange_calendars: str
    first: str
    last: str
    calendars: dict[str, list[str]]
    sha256: str


class Sessions:
    """Sessions of each frozen calendar. Without a file there are weekdays alone, which can be counted."""

    def __init__(self, folder: Path) -> None:
        """Read the file in `folder`, or else the project's own: trading days are the same for every model."""
        self._frozen = _read(folder / "sessions.json") or _read(MODELS / "sessions.json")
        self.last = self._frozen.last if self._frozen else None  # ISO date
        self.calendars = tuple(dict.fromkeys([*(self._frozen.calendars if self._frozen else ()), WEEKDAYS]))

    def after(self, calendar: str, last_date: datetime.date, count: int) -> list[str | None]:
        """Return the ISO dates of the `count` sessions after `last_date`; None for those that the file does not reach.

        `calendar` is one of `calendars`. An exchange's days before the file's first are as unknown as those
        after its last: a date that may be wrong is worse than none.
        """
        known: list[str | None]
        if calendar == WEEKDAYS:
            known = _weekdays(last_date, count)
        else:
            assert self._frozen is not None, calendar
            day, days = last_date.isoformat(), self._frozen.calendars[calendar]
            start = bisect_right(days, day)
            known = [*days[start : start + count]] if self._frozen.first <= day else []
        return known + [None] * (count - len(known))

    def up_to(self, calendar: str, last_date: datetime.date, count: int) -> list[str | None]:
        """Return the ISO dates of the `count` sessions that end in `last_date`, oldest first; None where unknown.

        `last_date` counts as a session on any calendar: there is a close of it.
        """
        days: list[str | None] = [last_date.isoformat()]
        number = last_date.toordinal() - 1
        while len(days) < count and number > 0:
            day = datetime.date.fromordinal(number)
            is_session = self.holds(calendar, day)
            if is_session is None:
                break
            if is_session:
                days.append(day.isoformat())
            number -= 1
        return [None] * (count - len(days)) + days[::-1]

    def holds(self, calendar: str, day: datetime.date) -> bool | None:
        """Return whether `day` is a session; None where the file does not reach."""
        if calendar == WEEKDAYS:
            return day.weekday() < 5
        assert self._frozen is not None, calendar
        if not self._frozen.first <= day.isoformat() <= self._frozen.last:
            return None
        days = self._frozen.calendars[calendar]
        at = bisect_right(days, day.isoformat())
        return at > 0 and days[at - 1] == day.isoformat()

    def between(self, calendar: str, first: datetime.date, last: datetime.date) -> int:
        """Count the sessions after `first` and up to `last`; weekdays where the file does not reach."""
        if calendar != WEEKDAYS:
            assert self._frozen is not None, calendar
            if self._frozen.first <= first.isoformat() and last.isoformat() <= self._frozen.last:
                days = self._frozen.calendars[calendar]
                return max(0, bisect_right(days, last.isoformat()) - bisect_right(days, first.isoformat()))
        weeks, rest = divmod(max(0, (last - first).days), 7)
        return weeks * 5 + sum((first.weekday() + 1 + day) % 7 < 5 for day in range(rest))


def _weekdays(last_date: datetime.date, count: int) -> list[str | None]:
    days: list[str | None] = []
    number = last_date.toordinal()
    while len(days) < count and number < datetime.date.max.toordinal():
        number += 1
        day = datetime.date.fromordinal(number)
        if day.weekday() < 5:
            days.append(day.isoformat())
    return days


def _read(path: Path) -> Frozen | None:
    """Read the file, None where there is none. Raises `SessionsRefused` when it is not whole."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SessionsRefused(f"{path}: not readable ({error.strerror})") from None
    try:
        frozen = msgspec.json.decode(content, type=Frozen)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SessionsRefused(f"{path}: {error}") from None
    if frozen.schema_version != SCHEMA_VERSION:
        raise SessionsRefused(f"{path}: schema version {frozen.schema_version}, this code reads {SCHEMA_VERSION}")
    digested = msgspec.to_builtins(frozen)
    del digested["created_at"], digested["sha256"]
    if hashlib.sha256(msgspec.json.encode(digested, order="sorted")).hexdigest() != frozen.sha256:
        raise SessionsRefused(f"{path}: its days are not those its own digest was made of")
    return frozen
