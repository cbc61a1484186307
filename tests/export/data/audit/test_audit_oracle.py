"""An audit finds every fault there is and nothing else, as a plain loop over days finds them."""

from __future__ import annotations

import datetime
import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from export.data.audit.audit import audit
from export.data.audit.findings import KINDS
from export.data.audit.raw_prices import RawPrices
from export.data.calendars import sessions
from export.data.price_table import Prices, make_prices, starts_of

pytestmark = pytest.mark.slow


def test_ten_thousand_series_are_audited_as_arrays():
    days = sessions("BVMF", np.datetime64("2022-01-03"), np.datetime64("2022-12-29"))
    kept = np.delete(np.arange(len(days)), [50, 51, 99])
    count = 10_000
    closes = np.tile(10 + np.sin(np.arange(len(kept))), count)
    lengths = np.full(count, len(kept), dtype=np.int64)
    ids = tuple(f"S{number:05d}" for number in range(count))
    table = RawPrices(Prices(ids, starts_of(lengths), np.tile(days[kept], count), closes), None, {}, ())
    report = audit(table, ["BVMF"] * count)
    assert report.counts()["missing-session"] == {
        "checked": count,
        "series": count,
        "findings": 2 * count,
        "days": 3 * count,
    }
    assert len(report.findings) == 2 * count


def naive(table: dict[str, list[tuple[datetime.date, float, float]]], is_open, least: int, most: int):
    """All faults as (unique_id, kind, day), from rows in the order given: day by day, in plain Python."""
    faults = set()
    latest = max(day for rows in table.values() for day, *_ in rows)
    for name, rows in table.items():
        once: dict[datetime.date, tuple[float, float]] = {}
        for day, y, volume in rows:
            if day in once:
                faults.add((name, "duplicate", day))
            once.setdefault(day, (y, volume))
        days = sorted(once)
        span = [days[0] + datetime.timedelta(n) for n in range((days[-1] - days[0]).days + 1)]
        faults |= {(name, "missing-session", day) for day in span if is_open(day) and day not in once}
        faults |= {(name, "closed-day", day) for day in days if not is_open(day)}
        faults |= {(name, "zero-volume", day) for day in days if once[day][1] == 0}
        for _, run in itertools.groupby(days, key=lambda day: once[day][0]):
            same = list(run)
            faults |= {(name, "stale", day) for day in same if len(same) >= least}
        faults |= {
            (name, "split-like", b)
            for a, b in itertools.pairwise(days)
            if once[b][0] in (2 * once[a][0], once[a][0] / 2)
        }
        after = [days[-1] + datetime.timedelta(n) for n in range(1, (latest - days[-1]).days + 1)]
        absent = [day for day in after if is_open(day)]
        faults |= {(name, "ended-early", day) for day in absent if len(absent) > most}
    return faults


one_day = st.lists(st.tuples(st.sampled_from([8.0, 10.0, 16.0, 11.0]), st.sampled_from([0.0, 5.0, np.nan])), max_size=2)
gappy = st.lists(one_day, min_size=1, max_size=90).filter(any)
regular = st.builds(  # weeks all alike, but for a few days
    lambda week, weeks, changed: [changed.get(at, week[at % 7]) for at in range(7 * weeks)],
    st.lists(one_day, min_size=7, max_size=7),
    st.integers(1, 24),
    st.dictionaries(st.integers(0, 160), one_day, max_size=6),
).filter(any)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(gappy | regular, min_size=1, max_size=3),
    st.sampled_from(["weekdays", "24/7", "BVMF"]),
    st.integers(2, 4),
    st.integers(0, 6),
)
@example([[[(8.0, 0.0)]]], "BVMF", 2, 0)
def test_the_findings_are_the_faults_that_a_plain_loop_finds(drawn, calendar, least, most):
    start = datetime.date(2019, 12, 20)
    table = {
        f"S{number}": [(start + datetime.timedelta(at), *row) for at, rows in enumerate(days) for row in rows]
        for number, days in enumerate(drawn)
    }
    known = set(sessions(calendar, np.datetime64("2019-12-20"), np.datetime64("2020-12-31")).tolist())
    wanted = naive(table, known.__contains__, least, most)
    rows = [row for rows in table.values() for row in rows]
    lengths = np.array([len(rows) for rows in table.values()], dtype=np.int64)
    prices = Prices(
        tuple(table),
        starts_of(lengths),
        np.array([r[0] for r in rows], "datetime64[D]"),
        np.array([r[1] for r in rows]),
    )
    volumes = np.array([row[2] for row in rows])
    report = audit(RawPrices(prices, volumes, {}, ()), [calendar] * len(table), stale_rows=least, ended_sessions=most)
    for name, kind in itertools.product(table, KINDS):
        days = {day for unique_id, of, day in wanted if (unique_id, of) == (name, kind)}
        findings = [finding for finding in report.findings if (finding.unique_id, finding.kind) == (name, kind)]
        assert sum(finding.count for finding in findings) == len(days)
        assert {day for finding in findings for day in (finding.first, finding.last)} <= days
        assert all(any(finding.first <= day <= finding.last for finding in findings) for day in days)
    counts = report.counts()
    assert {kind: counts[kind]["days"] for kind in KINDS} == {
        kind: sum(of == kind for _, of, _ in wanted) for kind in KINDS
    }


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(1, 246), max_size=40))
def test_the_sessions_taken_from_a_whole_series_are_exactly_those_found_missing(gone):
    days = sessions("BVMF", np.datetime64("2023-01-01"), np.datetime64("2023-12-31"))
    kept = np.delete(days, sorted(gone))
    prices = make_prices({"A": (kept, 10 + np.arange(len(kept)))})
    report = audit(RawPrices(prices, None, {}, ()), ["BVMF"])
    missing = set()
    for finding in report.findings:
        assert finding.kind == "missing-session"
        run = days[(days >= np.datetime64(finding.first)) & (days <= np.datetime64(finding.last))]
        if finding.detail != "no row":  # one weekday
            run = run[run.astype(int) % 7 == np.datetime64(finding.first).astype(int) % 7]
        assert len(run) == finding.count
        missing |= set(run.tolist())
    assert missing == set(days[sorted(gone)].tolist())
