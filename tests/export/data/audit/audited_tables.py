"""Small tables of prices, audited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from export.data.audit.audit import Audit, audit
from export.data.audit.raw_prices import RawPrices, read_raw_prices
from lambda_fn.tables.price_files import open_price_files
from lambda_fn.tables.store import scratch


def raw(path: Path, **settings: Any) -> RawPrices:
    """The rows of a file as an audit reads them."""
    with scratch() as folder:
        return read_raw_prices(open_price_files([str(path)], folder), **settings)


def audited(path: Path, calendar: str | None = None, **settings: int) -> Audit:
    table = raw(path)
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
