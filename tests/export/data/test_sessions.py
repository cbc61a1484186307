"""`efemera data sessions`: trading days in a file that a reader without a calendar library can trust."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import duckdb
import jsonschema
import msgspec
import numpy as np
import pytest

from export.data.calendars import sessions as sessions_of
from export.data.session_file import as_json, digest_of, freeze_sessions
from export.schemas import read_schema

FIRST, LAST = np.datetime64("2026-01-01"), np.datetime64("2026-03-31")


@pytest.fixture
def sessions(efemera, monkeypatch, tmp_path):
    """Run `efemera data sessions` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(efemera, "data", "sessions")


def read(name: str) -> dict:
    return json.loads(Path(name).read_bytes())


@pytest.mark.slow
def test_four_calendars_are_frozen_for_whole_years(sessions):
    code, out, err = sessions("--out", "s.json", "--start", "2026-11-23")
    frozen = read("s.json")
    assert (code, out) == (0, "")
    assert err.startswith("wrote s.json: 2026-01-01 to 2029-12-31; sessions: BVMF 990, XNYS ")
    jsonschema.validate(frozen, read_schema("sessions"))
    assert (frozen["first"], frozen["last"]) == ("2026-01-01", "2029-12-31")
    assert list(frozen["calendars"]) == ["BVMF", "XNYS", "24/7", "weekdays"]
    for name, days in frozen["calendars"].items():
        assert days == sessions_of(name, np.datetime64("2026-01-01"), np.datetime64("2029-12-31")).astype(str).tolist()
        assert days == sorted(set(days))
    assert {"2026-02-16", "2026-02-17", "2026-12-24"}.isdisjoint(frozen["calendars"]["BVMF"])  # carnival, Christmas Eve
    assert {"2026-02-18", "2026-07-09"} <= set(frozen["calendars"]["BVMF"])
    assert "2026-07-03" not in frozen["calendars"]["XNYS"]  # the 4th is a Saturday


@pytest.mark.parametrize(
    ("arguments", "first", "last"),
    [
        (["--start", "2027-01-15"], "2026-01-01", "2030-12-31"),  # last year's last closes are recent still
        (["--start", "2027-02-01"], "2027-01-01", "2030-12-31"),
        (["--start", "2028-02-29", "--years", "1"], "2028-01-01", "2029-12-31"),
    ],
)
def test_the_years_follow_the_start(sessions, arguments, first, last):
    assert sessions("--out", "s.json", "--calendar", "weekdays", *arguments)[0] == 0
    frozen = read("s.json")
    assert (frozen["first"], frozen["last"], list(frozen["calendars"])) == (first, last, ["weekdays"])


def test_today_lies_within_what_is_frozen_without_a_start(sessions):
    assert sessions("--out", "s.json", "--calendar", "24/7", "--calendar", "24/7")[0] == 0
    days = read("s.json")["calendars"]["24/7"]
    today = np.datetime64("today")
    assert {str(today - 31), str(today), str(today + 3 * 365)} <= set(days)


def test_the_digest_is_of_everything_else_but_the_time_of_writing_in_a_form_two_libraries_share():
    frozen = freeze_sessions(["BVMF", "24/7"], FIRST, LAST)
    decoded = msgspec.json.decode(as_json(frozen))
    stated = decoded.pop("sha256")
    decoded.pop("created_at")
    assert hashlib.sha256(msgspec.json.encode(decoded, order="sorted")).hexdigest() == stated
    compact = json.dumps(decoded, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(compact.encode()).hexdigest() == stated
    for change in (
        {"first": "2025-12-31"},
        {"last": "2026-04-01"},
        {"exchange_calendars": "4.13.3"},
        {"schema_version": 2},
        {"calendars": {**frozen["calendars"], "24/7": frozen["calendars"]["24/7"][1:]}},
        {"calendars": {"BVMF": frozen["calendars"]["BVMF"]}},
    ):
        assert digest_of({**frozen, **change}) != stated
    assert digest_of({**frozen, "created_at": "yesterday"}) == stated


def test_the_file_reads_back_as_it_was_with_a_month_on_each_line():
    frozen = freeze_sessions(["BVMF", "weekdays"], FIRST, LAST)
    content = as_json(frozen)
    assert json.loads(content) == frozen
    lines = [line.strip().rstrip(",") for line in content.decode().splitlines()]
    months = [json.loads(f"[{line}]") for line in lines if line.startswith('"2026-')]
    assert [day for month in months for day in month] == frozen["calendars"]["BVMF"] + frozen["calendars"]["weekdays"]
    assert [{day[:7] for day in month} for month in months] == [{"2026-01"}, {"2026-02"}, {"2026-03"}] * 2


@pytest.mark.slow
def test_freezing_the_same_days_again_changes_no_byte_and_other_days_do(sessions):
    arguments = ("--out", "s.json", "--start", "2026-06-01", "--calendar", "BVMF")
    sessions(*arguments)
    old = read("s.json") | {"created_at": "2026-01-01T00:00:00+00:00"}
    Path("s.json").write_bytes(as_json(old))
    _, _, err = sessions(*arguments)
    assert err.startswith("unchanged: s.json")
    assert read("s.json") == old
    for tampered in ({**old, "last": "2030-01-01"}, {"sha256": old["sha256"]}, [], "no sessions"):
        Path("s.json").write_text(json.dumps(tampered))
        assert sessions(*arguments)[2].startswith("wrote s.json")
        assert read("s.json")["sha256"] == old["sha256"]
    sessions(*arguments, "--years", "2")
    assert read("s.json")["last"] == "2028-12-31"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s.parquet", "s.csv", "s.csv.gz"])
def test_other_endings_give_a_table(sessions, name):
    code, out, _ = sessions(
        "--out", name, "--start", "2026-06-01", "--calendar", "24/7", "--calendar", "XNYS", "--json"
    )
    assert code == 0
    summary = json.loads(out)
    assert (summary["out"], summary["calendars"]) == (name, {"24/7": 1461, "XNYS": 1004})
    with duckdb.connect() as database:
        rows = database.execute(f"SELECT calendar, ds::VARCHAR FROM '{name}'").fetchall()
    frozen = freeze_sessions(["24/7", "XNYS"], np.datetime64("2026-01-01"), np.datetime64("2029-12-31"))
    assert rows == [(calendar, day) for calendar, days in frozen["calendars"].items() for day in days]


@pytest.mark.slow
def test_the_file_can_go_to_s3(sessions, bucket):
    code, _, err = sessions("--out", "s3://market/models/sessions.json", "--calendar", "weekdays")
    assert code == 0
    assert err.startswith("wrote s3://market/models/sessions.json")
    stored = json.loads(bucket.get_object(Bucket="market", Key="models/sessions.json")["Body"].read())
    assert digest_of(stored) == stored["sha256"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--calendar", "B3"], "--calendar: there is no calendar 'B3'; near are"),
        (["--calendar", "XSAU", "--start", "2027-06-01"], "--calendar XSAU: its sessions are known from 2021-01-01 to"),
        (["--years", "0"], "--years: 0 is not from 1 to 50"),
        (["--years", "51"], "--years: 51 is not from 1 to 50"),
        (["--start", "2026-02-30"], "--start: '2026-02-30' is not a calendar date (YYYY-MM-DD)"),
        (["--start", "1850-01-01"], "--start: 1850-01-01 is not from 1900 to 2200"),
        (["--start", "9999-01-01"], "--start: 9999-01-01 is not from 1900 to 2200"),
        (["--out", "s.txt"], "--out s.txt: must end in .json, .parquet, .csv.gz or .csv"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2_and_nothing_is_written(sessions, tmp_path, arguments, message):
    code, out, err = sessions("--out", "s.json", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"efemera: {message}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
