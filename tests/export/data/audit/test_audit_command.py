"""`efemera data audit`: what it shows, writes and refuses, and with which exit code."""

from __future__ import annotations

import json
from functools import partial

import duckdb
import jsonschema
import pytest

from export.commands.data import audit_tables
from export.data.audit.findings import KINDS
from tests.lambda_fn.tables.price_tables import HEADER, YAHOO, write

ROWS = (
    HEADER
    + "".join(f"PETR4,2024-01-{day:02},{10 + day}\n" for day in (2, 3, 4, 5, 8, 9, 12))  # 10 and 11 are missing
    + "".join(f"BTC-USD,2024-01-{day:02},{20 + day}\n" for day in range(2, 13))
)
CLEAN = HEADER + "A,2024-01-02,10\nA,2024-01-03,11\n"
COUNT = {"type": "integer", "minimum": 0}
REPORT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["files", "series", "rows", "first", "last", "calendars", "skipped", "counts", "findings"],
    "properties": {
        "files": {"type": "array", "items": {"type": "string"}},
        "series": COUNT,
        "rows": COUNT,
        "first": {"type": "string", "format": "date"},
        "last": {"type": "string", "format": "date"},
        "calendars": {"type": "object", "additionalProperties": COUNT},
        "skipped": {"type": "object", "additionalProperties": {"type": "string"}},
        "counts": {
            "type": "object",
            "propertyNames": {"enum": list(KINDS)},
            "required": list(KINDS),
            "additionalProperties": {
                "type": "object",
                "required": ["checked", "series", "findings", "days"],
                "additionalProperties": COUNT,
            },
        },
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["unique_id", "kind", "first", "last", "count", "detail"],
                "properties": {
                    "unique_id": {"type": "string"},
                    "kind": {"enum": list(KINDS)},
                    "first": {"type": "string", "pattern": "^[0-9-]{10}$"},
                    "last": {"type": "string", "pattern": "^[0-9-]{10}$"},
                    "count": {"type": "integer", "minimum": 1},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


@pytest.fixture
def audit(efemera):
    """Run `efemera data audit`."""
    return partial(efemera, "data", "audit", columns=120)


@pytest.fixture
def table(tmp_path):
    return write(tmp_path / "t.csv", ROWS)


def test_the_report_is_a_summary_the_findings_and_a_verdict(audit, table):
    code, out, err = audit(table, "--calendar", "BVMF", "--calendar", "BTC*=24/7")
    lines = [line.rstrip() for line in out.splitlines()]
    assert code == 0
    assert err == ""
    assert lines[0] == "2 series, 18 rows, 2024-01-02 to 2024-01-12; calendar: 24/7 for 1, BVMF for 1"
    assert ["missing-session", "2", "1", "1", "2"] in [line.split() for line in lines]
    assert "not checked: zero-volume (no volume is known)" in lines
    assert "missing-session   PETR4    2024-01-10   2024-01-11      2   no row" in lines
    assert lines[-1] == "1 finding in 1 of 2 series"


def test_without_a_calendar_the_report_says_what_it_cannot_see(audit, table):
    code, out, _ = audit(table)
    assert code == 0
    assert "calendar: none" in out
    assert "not checked: missing-session, closed-day (no --calendar)" in out
    assert "nothing found in 2 series" in out
    _, out, _ = audit(table, "--calendar", "PETR4=BVMF")
    assert "calendar: BVMF for 1, none for 1" in out
    assert ["missing-session", "1", "1", "1", "2"] in [line.split() for line in out.splitlines()]


@pytest.mark.slow
def test_strict_ends_with_3_when_anything_is_found_and_with_0_otherwise(audit, table, tmp_path):
    out = tmp_path / "findings.csv"
    code, _, err = audit(table, "--calendar", "PETR4=BVMF", "--strict", "--out", out)
    assert code == 3
    assert err.splitlines()[-1] == "efemera: 1 finding in 1 of 2 series"
    assert out.read_text() == (
        "unique_id,kind,first,last,count,detail\nPETR4,missing-session,2024-01-10,2024-01-11,2,no row\n"
    )
    assert audit(write(tmp_path / "clean.csv", CLEAN), "--calendar", "XNYS", "--strict")[0] == 0


def test_json_is_one_document_of_a_known_shape(audit, table, tmp_path):
    code, out, _ = audit(table, "--calendar", "24/7", "--json", "--strict")
    report = json.loads(out)
    jsonschema.validate(report, REPORT)
    assert code == 3
    assert (report["files"], report["series"], report["rows"]) == ([str(table)], 2, 18)
    assert (report["first"], report["last"], report["calendars"]) == ("2024-01-02", "2024-01-12", {"24/7": 2})
    assert report["counts"]["missing-session"] == {"checked": 2, "series": 1, "findings": 2, "days": 4}
    assert report["findings"][1] == {
        "unique_id": "PETR4",
        "kind": "missing-session",
        "first": "2024-01-10",
        "last": "2024-01-11",
        "count": 2,
        "detail": "no row",
    }
    code, out, _ = audit(write(tmp_path / "clean.csv", CLEAN), "--json")
    assert json.loads(out)["findings"] == []
    jsonschema.validate(json.loads(out), REPORT)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["f.parquet", "f.csv", "f.csv.gz"])
def test_every_finding_is_written_as_a_table_even_when_there_is_none(audit, table, tmp_path, name):
    types = ["VARCHAR", "VARCHAR", "DATE", "DATE", "BIGINT", "VARCHAR"]
    for calendar, count in (("24/7", 2), ("PETR4=24/7", 2), ("BTC-USD=24/7", 0)):
        code, _, err = audit(table, "--calendar", calendar, "--out", tmp_path / name)
        assert code == 0
        assert err.endswith(f"{name}: {count} findings\n")
        with duckdb.connect() as database:
            found = database.execute(f"FROM '{tmp_path / name}'")
            assert [column[0] for column in found.description] == [
                "unique_id",
                "kind",
                "first",
                "last",
                "count",
                "detail",
            ]
            if name == "f.parquet":
                assert [str(column[1]) for column in found.description] == types
            assert len(found.fetchall()) == count


@pytest.mark.slow
def test_tables_are_read_from_and_findings_written_to_s3(audit, bucket):
    bucket.put_object(Bucket="market", Key="day/t.csv", Body=ROWS.encode())
    bucket.put_object(Bucket="market", Key="day/u.csv", Body=CLEAN.encode())
    code, out, err = audit("s3://market/day/", "--calendar", "XNYS", "--json", "--out", "s3://market/found.parquet")
    assert code == 0
    assert json.loads(out)["files"] == ["s3://market/day/t.csv", "s3://market/day/u.csv"]
    assert "wrote s3://market/found.parquet: " in err
    assert bucket.get_object(Bucket="market", Key="found.parquet")["Body"].read(4) == b"PAR1"
    code, _, err = audit("s3://market/day/", "--out", "S3://market/day/t.csv")
    assert code == 2
    assert err.splitlines()[-1] == "efemera: --out S3://market/day/t.csv: is one of the tables to audit"
    bucket.put_object(Bucket="market", Key="bad.csv", Body=ROWS.encode() + b"X,2024-01-02,no\n")
    code, out, err = audit("s3://market/bad.csv", "--skip-bad", "--json")
    assert code == 0
    assert json.loads(out)["skipped"] == {"X": "s3://market/bad.csv line 20: y is 'no', not a price"}
    assert "X: skipped, s3://market/bad.csv line 20" in err


@pytest.mark.slow
def test_the_longest_findings_of_each_kind_are_shown_and_the_rest_is_counted(audit, tmp_path):
    rows = "".join(f"S{number:03},2024-01-02,1,0\nS{number:03},2024-01-02,2,0\n" for number in range(100))
    rows += "S007,2024-01-03,1.1,0\n"
    path = write(tmp_path / "t.csv", "unique_id,ds,y,volume\n" + rows)
    _, out, _ = audit(path)
    lines = [line.split() for line in out.splitlines()]
    shown = [line for line in lines if line and line[0].startswith("S0")]
    assert len(shown) == audit_tables.LINES - 2  # the first of each kind stands beside its name
    assert [line[1] for line in lines if line[:1] in (["duplicate"], ["zero-volume"])][2:] == ["S000", "S007"]
    assert [line for line in lines if "--all" in line] == [["80", "more:", "--all"]] * 2
    _, out, _ = audit(path, "--all")
    assert out.count("S0") == 200
    assert "--all" not in out


def test_yahoos_choice_of_closes_is_kept_and_told(audit, tmp_path):
    text = YAHOO + "2024-01-02,9,11,8,10,5,7\n2024-01-03,9,11,8,20,6,7\n"
    path = write(tmp_path / "X.csv", text)
    code, out, err = audit(path, "--column", "close", "--json")
    assert code == 0
    assert err == f"{path}: the price is column 'Close'\n"
    assert [finding["kind"] for finding in json.loads(out)["findings"]] == ["split-like"]
    assert json.loads(audit(path, "--json")[1])["findings"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stale", "1"], "--stale: 1 is not a number of rows from 2"),
        (["--ended", "-1"], "--ended: -1 is not a number of sessions from 0"),
        (["--calendar", "BVMX"], "--calendar: there is no calendar 'BVMX'; near are BVMF"),
        (["--calendar", "PETR4=bvmf"], "--calendar: there is no calendar 'bvmf'; near are BVMF"),
        (["--calendar", "PETR4="], "--calendar: there is no calendar ''; near are BVMF"),
        (["--calendar", "BVMF", "--calendar", "XNYS"], "--calendar XNYS: a second calendar for all other series"),
        (["--calendar", "A=BVMF", "--calendar", "A=XNYS"], "--calendar A=XNYS: a second calendar for A"),
        (["--calendar", "PETR5=BVMF"], "--calendar PETR5=BVMF: no series fits 'PETR5'; there are BTC-USD, PETR4"),
        (["--column", "Close"], "column: the price of t.csv is in y; there is no 'Close' to choose"),
        (["--column", "Open"], "column: 'Open' is not one of 'Adj Close', 'Close'"),
        (["--out", "f.txt"], "--out f.txt: must end in .parquet, .csv.gz or .csv"),
        (["--out", "./t.csv"], "--out ./t.csv: is one of the tables to audit"),
        (["none.csv"], "none.csv: no such file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(audit, table, monkeypatch, arguments, message):
    monkeypatch.chdir(table.parent)
    code, out, err = audit("t.csv", *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith(f"efemera: {message}")
    assert err.count("\n") == 1
    assert table.read_text() == ROWS


@pytest.mark.slow
def test_a_malformed_row_is_refused_unless_its_series_is_skipped(audit, tmp_path):
    path = write(tmp_path / "t.csv", CLEAN + "B,2024-01-02,x\n")
    code, _, err = audit(path)
    assert (code, err) == (2, f"efemera: {path} line 4: y is 'x', not a price\n")
    code, _, err = audit(path, "--skip-bad", "--calendar", "B=XNYS", "--calendar", "XNYS")
    assert (code, err) == (0, f"B: skipped, {path} line 4: y is 'x', not a price\n")
