"""A plan ends in status rows or in one refusal, whatever a CSV cell holds: never in an error of DuckDB's."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lambda_fn.tables.errors import InputRefused
from tests.lambda_fn.batch.market import DAY, days
from tests.lambda_fn.batch.runs import run

pytestmark = pytest.mark.slow

DATES = [str(day.date()) for day in days(60)]
SEPARATOR = "\x1c\x1d\x1e\x1f"  # the reader's own; Hypothesis finds it in the source
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=30).filter(
    lambda text: SEPARATOR not in text
)
ODD = st.sampled_from(['"', '""', ",", "'", "\\", "a,b", 'a"b', '"a"', "\x1c\x1d", "\u2028", "\ufeff", "\t"])
NUMBER = st.one_of(
    st.text("0123456789.eE+-_ infa,x", max_size=12),
    st.floats().map(repr),
    st.floats(1e-9, 1e12).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
)
MANY = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cells")


def ran(folder, text):
    """Run a CSV file of this text."""
    path = folder / "cells.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return run(path, folder / "out")


def written(rows):
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([["unique_id", "ds", "y"], *rows])
    return stream.getvalue()


@MANY
@given(st.lists(st.tuples(CELL | ODD, CELL | ODD | st.sampled_from(DATES), CELL | ODD | NUMBER), min_size=1))
@example([("a", "2026-11-19", "x" * 100_000)])
@example([("x" * 100_000, "2026-11-19", "1")])
@example([('"', '"', '"'), ("", "", ""), (",", ",", ",")])
def test_every_series_that_a_csv_names_has_one_status_row(folder, rows):
    found = ran(folder, written(rows))
    expected = {row[0].strip(" \t") or "(no unique_id)" for row in rows}
    assert sorted(found.status["unique_id"]) == sorted(expected)
    assert (found.status["status"] != "forecast").all()  # of thirty rows at most
    assert not found.status["reason"].isna().any()


@MANY
@given(st.lists(NUMBER, min_size=1, max_size=15))
@example(
    [
        "1_000",
        "1e308",
        "1e-308",
        "1e400",
        "-1e400",
        "0x1p3",
        "1e5_0",
        "१२",
        "１",
        "1d5",
        "1f",
        "+.5e+1",
        "Infinity",
        "NAN",
    ]
)
def test_a_price_is_what_python_reads_or_none(folder, cells):
    series = [f"S{number:03}" for number in range(len(cells))]
    rows = [(name, day, "7") for name in series for day in DATES[:-1]]
    rows += [(name, DAY, cell) for name, cell in zip(series, cells, strict=True)]
    found = ran(folder, written(rows)).status.set_index("unique_id")
    for name, cell in zip(series, cells, strict=True):
        try:
            price = float(cell) if cell.isascii() and "_" not in cell else np.nan
        except ValueError:
            price = np.nan
        if 1e-9 <= price <= 1e12:
            assert (found["status"][name], found["last_price"][name]) == ("forecast", price), cell
        else:
            assert found["status"][name] == "bad price", cell
            assert cell.strip(" \t")[:40] in found["reason"][name]


@MANY
@given(st.lists(st.text("0123456789-T :+Z/", max_size=25) | st.dates().map(str) | st.datetimes().map(str), max_size=15))
def test_a_day_is_what_python_reads_or_none(folder, cells):
    series = [f"S{number:03}" for number in range(len(cells))] or ["S"]
    rows = [(name, day, "7") for name in series for day in DATES]
    rows += [(name, cell, "7") for name, cell in zip(series, cells, strict=False)]
    found = ran(folder, written(rows)).reasons
    for name, cell in zip(series, cells, strict=False):
        try:
            moment = pd.Timestamp.fromisoformat(cell.strip())
            is_day = cell.strip()[:10].count("-") == 2 and moment == moment.normalize()
        except ValueError:
            is_day = False
        if found[name][0] != "bad date":
            assert is_day, cell
        elif is_day and len(cell.strip()) == 10:
            raise AssertionError(cell)


@MANY
@given(st.binary(max_size=300) | st.text('ab",\n\r 1-\t\0;', max_size=200).map(str.encode))
@example(b'"\n"\n"')
@example(b"A,2026-11-19,1\n" * 3 + b'"')
@example(b",,\n,,\n")
@example(b"\xef\xbb\xbf\n")
@example(b"\r\r\r")
def test_any_bytes_after_a_header_are_rows_or_a_refusal(folder, content):
    try:
        found = ran(folder, b"unique_id,ds,y\n" + content)
    except InputRefused as refusal:
        words = str(refusal)
    else:
        words = ""
        assert found.success.series == len(found.status) > 0
        assert found.status["unique_id"].is_unique
    assert "\n" not in words
    assert "Error" not in words


@MANY
@given(st.text(st.characters(codec="utf-8"), max_size=100) | st.binary(max_size=100))
@example('"')
@example('unique_id,ds,"y')
@example("unique_id,ds,y,ds")
@example("x" * 200_000)
def test_any_header_is_a_layout_or_a_refusal(folder, header):
    content = header if isinstance(header, bytes) else header.encode()
    try:
        known = ran(folder, content + b"\n,,\n").success.series
    except InputRefused as refusal:
        words = str(refusal)
        assert words.startswith(str(folder)) or words == "the files hold no rows of prices"
        assert "\n" not in words
    else:
        assert known == 1


def test_an_id_of_two_lines_is_never_forecast_under_another_name(folder):
    found = ran(folder, written([("two\nlines", day, "7") for day in DATES]))
    assert {name for name, (status, _) in found.reasons.items() if status == "forecast"} <= {"two\nlines"}


def test_another_column_of_two_lines_costs_its_own_series_alone(folder):
    lines = [f"{name},{day},7,note\n" for name in ("A", "B") for day in DATES]
    lines[-1] = f'B,{DAY},7,"two\nlines"\n'
    found = ran(folder, "unique_id,ds,y,note\n" + "".join(lines)).reasons
    assert {name: status for name, (status, _) in found.items()} == {
        "A": "forecast", "B": "bad row", 'lines"': "bad row",
    }  # fmt: skip
