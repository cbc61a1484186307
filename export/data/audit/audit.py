"""Audit price tables: run every check, and count the series that each check could look at."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.data.audit.calendar_checks import calendar_findings, ended_early
from export.data.audit.findings import KINDS, Finding
from export.data.audit.raw_prices import RawPrices
from export.data.audit.row_checks import DailyRows, daily_rows, split_like, stale, zero_volume
from export.data.calendars import WEEKDAYS, sessions
from export.errors import InputError

STALE, ENDED = 5, 5  # rows, sessions


@dataclasses.dataclass(frozen=True, eq=False)
class Audit:
    """The findings in a table of prices."""

    raw: RawPrices
    calendars: tuple[str | None, ...]  # (series,) the calendar of each, None where it has none
    findings: tuple[Finding, ...]  # by unique_id, kind (in the order of KINDS) and first day
    checked: dict[str, int]  # kind → the number of series it was looked for in

    def counts(self) -> dict[str, dict[str, int]]:
        """Of each kind: the series checked, the series concerned, the findings and the days in them."""
        findings = Counter(finding.kind for finding in self.findings)
        days: Counter[str] = Counter()
        for finding in self.findings:
            days[finding.kind] += finding.count
        concerned = Counter(kind for kind, _ in {(finding.kind, finding.unique_id) for finding in self.findings})
        return {
            kind: {
                "checked": self.checked[kind],
                "series": concerned[kind],
                "findings": findings[kind],
                "days": days[kind],
            }
            for kind in KINDS
        }

    def as_json(self) -> dict[str, Any]:
        """Everything, in JSON's types."""
        prices = self.raw.prices
        return {
            "files": list(prices.sources),
            "series": len(prices.ids),
            "rows": len(prices),
            "first": str(prices.ds.min()),
            "last": str(prices.ds.max()),
            "calendars": {name: self.calendars.count(name) for name in sorted(filter(None, set(self.calendars)))},
            "skipped": {fault.unique_id: fault.message for fault in self.raw.skipped},
            "counts": self.counts(),
            "findings": [
                {**dataclasses.asdict(finding), "first": str(finding.first), "last": str(finding.last)}
                for finding in self.findings
            ],
        }


def audit(
    raw: RawPrices, calendars: Sequence[str | None], *, stale_rows: int = STALE, ended_sessions: int = ENDED
) -> Audit:
    """Look for every kind of finding; `calendars` (series,) names the calendar of each series, or None.

    Stale is a close that stands unchanged for at least `stale_rows` (from 2) rows; a series ended early when more
    than `ended_sessions` (from 0) sessions follow its last row, up to the latest row of any series of its calendar,
    or of those without a calendar, by weekdays. Raises `InputError` for days that a calendar does not know.
    """
    assert stale_rows >= 2, stale_rows
    assert ended_sessions >= 0, ended_sessions
    rows, findings = daily_rows(raw)
    findings += [*split_like(rows), *stale(rows, stale_rows), *zero_volume(rows)]
    of_calendar = np.array([calendar or "" for calendar in calendars])
    for calendar in sorted(set(calendars) - {None}, key=str):
        these = rows.only(of_calendar == calendar)
        findings += calendar_findings(these, _sessions(str(calendar), these.prices.ds, these), raw.null_days)
    for calendar in sorted(set(calendars), key=str):
        findings += _ended(rows.only(of_calendar == (calendar or "")), calendar or WEEKDAYS, ended_sessions)
    order = {kind: position for position, kind in enumerate(KINDS)}
    findings.sort(key=lambda finding: (finding.unique_id, order[finding.kind], finding.first))
    return Audit(raw, tuple(calendars), tuple(findings), _checked(rows, calendars))


def _ended(rows: DailyRows, calendar: str, most: int) -> Iterator[Finding]:
    lasts = rows.prices.ds[rows.prices.starts[1:] - 1]
    return ended_early(rows.prices.ids, lasts, _sessions(calendar, lasts, rows), most)


def _sessions(calendar: str, days: NDArray[np.datetime64], rows: DailyRows) -> NDArray[np.datetime64]:
    """The sessions from the first to the last of these days; the `InputError` names whose rows those are."""
    first, last = days.min(), days.max()
    try:
        return sessions(calendar, first, last)
    except InputError as error:
        ds, owners, ids = rows.prices.ds, rows.owners, rows.prices.ids
        whose = f"the first row of {ids[owners[ds.argmin()]]} and the last of {ids[owners[ds.argmax()]]}"
        raise InputError(f"{error}, {whose}") from None


def _checked(rows: DailyRows, calendars: Sequence[str | None]) -> dict[str, int]:
    """Count the series in which each kind could be looked for."""
    with_volume = 0
    if rows.volume is not None:
        with_volume = len(np.unique(rows.owners[~np.isnan(rows.volume)]))
    with_calendar = len(calendars) - list(calendars).count(None)
    of_each = Counter(calendars)
    return {
        **dict.fromkeys(KINDS, len(calendars)),
        "missing-session": with_calendar,
        "closed-day": with_calendar,
        "zero-volume": with_volume,
        "ended-early": sum(count for count in of_each.values() if count > 1),  # one alone has none to compare with
    }
