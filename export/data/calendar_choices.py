"""Which calendar each series follows, from what `--calendar` says."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from export.data.calendars import check_calendar
from export.errors import InputError


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
