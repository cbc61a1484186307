"""The audit of real prices finds what is known to be wrong with them, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from export.data.audit.audit import Audit, audit
from export.data.calendars import calendars_of, sessions
from tests.export.data.audit.audited_tables import raw
from tests.lambda_fn.tables.price_tables import HEADER, YAHOO, write

# Kind → series concerned, findings, days. In prices.csv.gz: 34 sessions of early BTCUSD, 51 of PETR4 and 13 each of
# two currencies are missing (9 of the 13 holidays that mere weekdays don't know); 620 Sundays of each currency and 19
# holidays of PETR4 have rows; PETR4 stood still for 6 days around a split in 2005; BTCUSD has a bad tick of 130 between
# 260 and 204; two indices end in 2018. Yahoo's PETR4 has 50 of the 51 sessions as null rows, and 33 rows of no volume.
PRICES = {
    "split-like": (1, 1, 1),
    "missing-session": (4, 56, 111),
    "closed-day": (3, 28, 1259),
    "stale": (1, 1, 6),
    "ended-early": (2, 2, 1132),
}
YAHOOS = {"missing-session": (1, 30, 51), "closed-day": (1, 18, 19), "stale": (1, 1, 6), "zero-volume": (1, 31, 33)}


@pytest.fixture
def real(tmp_path) -> tuple[Path, dict, dict]:
    """The folder of real prices and what is wrong with its two tables; in its absence, small made ones."""
    if os.environ.get("EFEMERA_DATA"):
        return Path(os.environ["EFEMERA_DATA"]), PRICES, YAHOOS
    assert not os.environ.get("CI"), "in CI the real prices must be there: set EFEMERA_DATA"
    days = sessions("BVMF", np.datetime64("2017-01-02"), np.datetime64("2018-12-28"))
    rows = {str(day): f"{day},1,1,1,{at},{at},7" for at, day in enumerate(days, start=100)}
    for day in ("2018-05-09", "2018-05-10", "2018-06-12"):
        rows[day] = f"{day},null,null,null,null,null,null"
    for before, day in (("2018-01-24", "2018-01-25"), ("2018-03-05", "2018-03-06")):  # a holiday, and a session
        rows[day] = f"{day},1,1,1,{rows[before].split(',')[4]},{rows[before].split(',')[4]},0"
    write(tmp_path / "PETR4.SA.yahoo.csv.gz", YAHOO + "\n".join(sorted(rows.values())))
    weekdays = sessions("weekdays", np.datetime64("2018-01-01"), np.datetime64("2018-12-31"))
    sundays = weekdays[weekdays.astype(int) % 7 == 4] - 1  # the day before each Monday
    currency = sorted([*weekdays.astype(str), *sundays[1:].astype(str)])
    spy = sessions("XNYS", np.datetime64("2018-01-02"), np.datetime64("2018-12-31")).astype(str)
    table = {"PETR4": days.astype(str), "EURUSD": currency, "BTCUSD": currency[:1], "SPY": spy, "SP500": spy[:-6]}
    long = "".join(f"{name},{day},{100 + at}\n" for name, all_days in table.items() for at, day in enumerate(all_days))
    write(tmp_path / "prices.csv.gz", HEADER + long)
    return (
        tmp_path,
        {"closed-day": (1, 1, 52), "ended-early": (1, 1, 6)},
        {"missing-session": (1, 2, 3), "closed-day": (1, 1, 1), "zero-volume": (1, 2, 2)},
    )


def audited(path: Path, choices: list[str], column: str | None = None) -> Audit:
    table = raw(path, column=column)
    return audit(table, calendars_of(table.prices.ids, choices))


def figures(report: Audit) -> dict[str, tuple[int, int, int]]:
    counts = report.counts().items()
    return {kind: (count["series"], count["findings"], count["days"]) for kind, count in counts if count["findings"]}


@pytest.mark.slow
def test_the_findings_in_the_long_table_are_the_known_ones(real):
    folder, prices, _ = real
    report = audited(folder / "prices.csv.gz", ["XNYS", "PETR4=BVMF", "???USD=weekdays", "BTCUSD=24/7"])
    assert figures(report) == prices
    at_home = {
        name for name, calendar in zip(report.raw.prices.ids, report.calendars, strict=True) if calendar == "XNYS"
    }
    kinds = {finding.kind for finding in report.findings if finding.unique_id in at_home}
    assert kinds == {"ended-early"}  # of New York's sessions the table and the calendar agree on every one


@pytest.mark.slow
@pytest.mark.parametrize("column", ["Close", "Adj Close"])
def test_yahoos_gaps_are_null_rows_and_its_closed_days_are_rows_without_a_trade(real, column):
    folder, _, yahoos = real
    report = audited(folder / "PETR4.SA.yahoo.csv.gz", ["BVMF"], column)
    assert figures(report) == yahoos
    of = {kind: [finding for finding in report.findings if finding.kind == kind] for kind in yahoos}
    absent = [
        str(finding.first) for finding in of["missing-session"] if finding.detail not in ("null row", "null rows")
    ]
    assert absent == [day for day in ["2012-02-22"] if yahoos is YAHOOS]  # an Ash Wednesday
    assert {finding.detail for finding in of["closed-day"]} == {"close unchanged"}
    for closed in of["closed-day"]:  # so that where calendar and table disagree, the calendar is right
        assert any(zero.first <= closed.first and closed.last <= zero.last for zero in of["zero-volume"])
