"""Checks of rows by themselves: repeated days, jumps, stale closes, days without a trade."""

from __future__ import annotations

import datetime
import itertools

import pytest

from export.errors import InputError
from tests.export.data.audit.audited_tables import audited, found, raw
from tests.lambda_fn.tables.price_tables import HEADER, YAHOO, write, write_parquet


def test_days_given_twice_are_findings_that_tell_equal_rows_from_conflicts(tmp_path):
    rows = "A,2024-01-02,10\nA,2024-01-02,10.0\nA,2024-01-03,11\nA,2024-01-04,12\nA,2024-01-04,12.5\nA,2024-01-04,12\n"
    rows += "A,2024-01-05,13\nA,2024-01-05,13\nB,2024-01-05,13\nB,2024-01-06,14\nB,2024-01-06,14\nB,2024-01-06,14\n"
    report = audited(write(tmp_path / "t.csv", HEADER + rows))
    assert found(report, "duplicate") == [
        ("A", "2024-01-02", "2024-01-02", 1, "2 equal rows"),
        ("A", "2024-01-04", "2024-01-05", 2, "1 of 2 days differ, 2024-01-04: 12 and 12.5"),
        ("B", "2024-01-06", "2024-01-06", 1, "3 equal rows"),
    ]
    twice = "A,2024-01-02,10\nA,2024-01-03,11\n" * 2
    assert found(audited(write(tmp_path / "t.csv", HEADER + twice)), "duplicate") == [
        ("A", "2024-01-02", "2024-01-03", 2, "2 equal rows a day")
    ]
    clash = "A,2024-01-02,10\nA,2024-01-02,11\n"
    assert found(audited(write(tmp_path / "t.csv", HEADER + clash)), "duplicate")[0][-1] == "10 and 11"


def test_of_a_day_given_twice_the_first_row_counts_for_the_other_checks(tmp_path):
    rows = "".join(f"A,2024-01-0{day},10\n" for day in range(1, 6)) + "A,2024-01-05,11\nA,2024-01-04,20\n"
    report = audited(write(tmp_path / "t.csv", HEADER + rows))
    assert found(report, "stale") == [("A", "2024-01-01", "2024-01-05", 5, "close 10")]
    assert found(report, "split-like") == []


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "least", "count"), [(5, 5, 5), (4, 5, 0), (2, 2, 2), (9, 5, 9)])
def test_a_close_is_stale_from_so_many_rows_on_wherever_they_stand(tmp_path, rows, least, count):
    for before, after in itertools.product((0, 3), repeat=2):
        closes = [*range(1, before + 1), *[7] * rows, *range(20, 20 + after)]
        text = "".join(f"B,{datetime.date(2024, 1, 1 + at)},{y}\n" for at, y in enumerate(closes))
        report = audited(
            write(tmp_path / "t.csv", HEADER + "A,2024-01-01,7\n" + text + "C,2024-01-01,7\n"), stale_rows=least
        )
        assert [(name, number, said) for name, *_, number, said in found(report, "stale")] == (
            [("B", count, "close 7")] if count else []
        )


def test_nothing_runs_on_from_one_series_to_the_next(tmp_path):
    rows = "".join(
        f"{name},2024-01-0{day},{y},0\n" for name, day, y in [*(("A", d, 7) for d in (2, 3, 4)), ("B", 5, 7)]
    )
    rows += "B,2024-01-06,7,5\nC,2024-01-06,700,0\n"
    report = audited(write(tmp_path / "t.csv", "unique_id,ds,y,Volume\n" + rows), stale_rows=4)
    assert found(report, "stale") == found(report, "split-like") == found(report, "duplicate") == []
    assert [(name, count) for name, *_, count, _ in found(report, "zero-volume")] == [("A", 3), ("B", 1), ("C", 1)]


def test_a_jump_there_and_back_is_one_finding(tmp_path):
    rows = "".join(f"A,2024-01-0{day},{y}\n" for day, y in enumerate((100, 50, 101, 102, 307, 300), start=1))
    report = audited(write(tmp_path / "t.csv", HEADER + rows))
    assert found(report, "split-like") == [
        ("A", "2024-01-02", "2024-01-03", 2, "100 → 50, near 1/2; 50 → 101, near 2"),
        ("A", "2024-01-05", "2024-01-05", 1, "102 → 307, near 3"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["volume", "Volume", " VOLUME "])
def test_rows_without_a_trade_are_found_where_volume_is_known(tmp_path, name):
    rows = "A,2024-01-02,1,5\nA,2024-01-03,1,0\nA,2024-01-04,1,0.0\nA,2024-01-05,2,\nA,2024-01-08,2,0\n"
    rows += "B,2024-01-08,2,null\n"
    report = audited(write(tmp_path / "t.csv", f"unique_id,ds,y,{name}\n{rows}"))
    assert found(report, "zero-volume") == [
        ("A", "2024-01-03", "2024-01-04", 2, "close unchanged"),
        ("A", "2024-01-08", "2024-01-08", 1, "close unchanged"),
    ]
    assert report.checked["zero-volume"] == 1  # of two series
    table = "SELECT 'A' AS unique_id, DATE '2024-01-02' AS ds, 1 AS y, {} AS volume"
    for value, count in (
        ("0", 1),
        ("0::UBIGINT", 1),
        ("0.0::FLOAT", 1),
        ("NULL::BIGINT", 0),
        ("'nan'::DOUBLE", 0),
        ("3", 0),
    ):
        path = write_parquet(tmp_path / "t.parquet", table.format(value))
        assert len(found(audited(path), "zero-volume")) == count


@pytest.mark.slow
@pytest.mark.parametrize("value", ["-1", "abc", "1_000", "inf"])
def test_what_is_no_volume_is_a_fault_for_the_audit_alone(tmp_path, value):
    path = write(tmp_path / "t.csv", f"unique_id,ds,y,volume\nA,2024-01-02,1,{value}\nB,2024-01-02,1,5\n")
    with pytest.raises(InputError) as caught:
        raw(path)
    assert str(caught.value) == f"{path} line 2: volume is {value!r}, not a volume"
    table = raw(path, skip_bad=True)
    assert table.prices.ids == ("B",)
    assert [fault.unique_id for fault in table.skipped] == ["A"]
    path = write_parquet(
        tmp_path / "t.parquet", "SELECT 'A' AS unique_id, DATE '2024-01-02' AS ds, 1 AS y, 'x' AS Volume"
    )
    with pytest.raises(InputError, match="column 'Volume' is of type text, but must hold numbers"):
        raw(path)


def test_two_volume_columns_are_no_known_volume(tmp_path):
    path = write(tmp_path / "t.csv", "unique_id,ds,y,volume,Volume\nA,2024-01-02,1,0,0\n")
    assert audited(path).checked["zero-volume"] == 0


def test_a_series_of_null_rows_alone_is_a_fault(tmp_path):
    path = write(tmp_path / "X.csv", YAHOO + "2024-02-09,null,null,null,null,null,null\n")
    for skip_bad, words in ((False, f"{path}: X has null rows only"), (True, "every series was skipped; the first:")):
        with pytest.raises(InputError) as caught:
            raw(path, skip_bad=skip_bad)
        assert str(caught.value).startswith(words)
