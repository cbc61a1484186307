"""Small tables of prices, audited."""

from __future__ import annotations

from pathlib import Path

from export.data.audit.audit import Audit, audit
from export.data.given_prices import read_given_prices
from export.data.price_files import find_price_files


def audited(path: Path, calendar: str | None = None, **settings: int) -> Audit:
    table = read_given_prices(find_price_files([path]))
    return audit(table, [calendar] * len(table.prices.ids), **settings)


def found(report: Audit, kind: str) -> list[tuple[str, str, str, int, str]]:
    return [
        (finding.unique_id, str(finding.first), str(finding.last), finding.count, finding.detail)
        for finding in report.findings
        if finding.kind == kind
    ]


def series(name: str, days: list[str], start: float = 100.0) -> str:
    """Rows of a close that rises by one a day."""
    return "".join(f"{name},{day},{start + number}\n" for number, day in enumerate(days))
