"""Reading price tables: a fault is one line that names its file, row, column and value."""

from __future__ import annotations

import gzip
import os
import random
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pytest

from lambda_fn.model.limits import HIGHEST_PRICE, LOWEST_PRICE
from lambda_fn.tables.price_rows import HIGHEST, LOWEST
from tests.lambda_fn.tables.price_tables import GOOD, HEADER, refusal, write, write_parquet


def parquet_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        query = "SELECT 'A' AS unique_id, DATE '2024-01-02' AS ds, 1.0 AS y"
        return write_parquet(Path(folder, "good.parquet"), query).read_bytes()


ROW_FAULTS = [
    ("B,2024-01-02,abc", "y is 'abc', not a price"),
    ("B,2024-01-02,null", "y is 'null', not a price"),
    ("B,2024-01-02,", "y is empty"),
    ("B,2024-01-02,  ", "y is empty"),
    ("B,2024-01-02,1_000", "y is '1_000', not a price"),
    ('B,2024-01-02,"1,234.50"', "y is '1,234.50', not a price"),
    ("B,2024-01-02,0x10", "y is '0x10', not a price"),
    ("B,2024-01-02," + "9" * 30 + "x" * 30, "y is '" + "9" * 30 + "x" * 10 + "'…, not a price"),
    ("B,2024-01-02,NaN", "y is 'NaN', not a finite price"),
    ("B,2024-01-02,inf", "y is 'inf', not a finite price"),
    ("B,2024-01-02,1e999", "y is '1e999', not a finite price"),
    ("B,2024-01-02,0", "y is '0', not a price between 1e-9 and 1e12"),
    ("B,2024-01-02,-3.5", "y is '-3.5', not a price between 1e-9 and 1e12"),
    ("B,2024-01-02,9e-10", "y is '9e-10', not a price between 1e-9 and 1e12"),
    ("B,2024-01-02,1.1e12", "y is '1.1e12', not a price between 1e-9 and 1e12"),
    ("B,2024-02-30,1", "ds is '2024-02-30', not a calendar date (YYYY-MM-DD)"),
    ("B,02/01/2024,1", "ds is '02/01/2024', not a calendar date (YYYY-MM-DD)"),
    ("B,2024-1-5,1", "ds is '2024-1-5', not a calendar date (YYYY-MM-DD)"),
    ("B,2024-01-05 10:30:00,1", "ds is '2024-01-05 10:30:00', not a calendar date (YYYY-MM-DD)"),
    ("B,0000-01-01,1", "ds is '0000-01-01', not a calendar date (YYYY-MM-DD)"),
    ("B,,1", "ds is empty"),
    (",2024-01-02,1", "unique_id is empty"),
    ('"  ",2024-01-02,1', "unique_id is empty"),
    ("B,2024-01-02", "2 fields where the header has 3"),
    ("B,2024-01-02,1,2", "4 fields where the header has 3"),
    ("B", "1 field where the header has 3"),
]


@pytest.mark.parametrize(("line", "fault"), ROW_FAULTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_faulty_row_is_named_by_file_line_column_and_value(tmp_path, newline, line, fault):
    content = HEADER + f"A,2024-01-02,10\n\nB,2024-01-01,1\n{line}\n"
    path = write(tmp_path / "t.csv", content.replace("\n", newline))
    assert refusal(path) == f"{path} line 5: {fault}"


PARQUET_FAULTS = [
    ("'A' AS unique_id, NULL::DATE AS ds, 1.0 AS y", "ds is empty"),
    ("'A' AS unique_id, DATE 'infinity' AS ds, 1.0 AS y", "ds is 'infinity', not a calendar date (YYYY-MM-DD)"),
    ("'A' AS unique_id, '2024-02-30' AS ds, 1.0 AS y", "ds is '2024-02-30', not a calendar date (YYYY-MM-DD)"),
    (
        "'A' AS unique_id, TIMESTAMP '2024-01-02 10:30:00' AS ds, 1.0 AS y",
        "ds is '2024-01-02 10:30:00', not a calendar date (YYYY-MM-DD)",
    ),
    ("'A' AS unique_id, DATE '2024-01-02' AS ds, NULL::DOUBLE AS y", "y is empty"),
    ("'A' AS unique_id, DATE '2024-01-02' AS ds, 'nan'::DOUBLE AS y", "y is 'nan', not a finite price"),
    ("'A' AS unique_id, DATE '2024-01-02' AS ds, -1 AS y", "y is '-1', not a price between 1e-9 and 1e12"),
    ("NULL::VARCHAR AS unique_id, DATE '2024-01-02' AS ds, 1 AS y", "unique_id is empty"),
    ("e'A\\nB' AS unique_id, DATE '2024-01-02' AS ds, 1 AS y", r"unique_id is 'A\nB', not a name on one line"),
]


@pytest.mark.parametrize(("row", "fault"), PARQUET_FAULTS)
def test_a_faulty_parquet_row_is_named_by_its_number(tmp_path, row, fault):
    path = tmp_path / "t.parquet"
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE t AS SELECT {row} LIMIT 0")
        database.execute("INSERT INTO t VALUES ('G', '2024-01-01', 1), ('G', '2024-01-02', 1)")
        database.execute(f"INSERT INTO t SELECT {row}; COPY t TO '{path}'")
    assert refusal(path) == f"{path} row 3: {fault}"


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ("'A' AS unique_id, DATE '2024-01-02' AS ds, '1' AS y", "column 'y' is of type text, but must hold numbers"),
        ("'A' AS unique_id, 20240102 AS ds, 1 AS y", "column 'ds' is of type INTEGER, but must hold dates"),
        ("1.5 AS unique_id, DATE '2024-01-02' AS ds, 1 AS y", "column 'unique_id' is of type DECIMAL(2,1)"),
        ("'A' AS unique_id, DATE '2024-01-02' AS ds, true AS y", "column 'y' is of type BOOLEAN"),
        ("'A' AS id, DATE '2024-01-02' AS ds, 1 AS y", "the columns are 'id', 'ds', 'y'; known layouts are"),
    ],
)
def test_a_parquet_column_of_the_wrong_type_or_name_is_named(tmp_path, columns, fault):
    path = write_parquet(tmp_path / "t.parquet", f"SELECT {columns}")
    assert refusal(path).startswith(f"{path}: {fault}")


FILE_FAULTS = [
    ("t.csv", b"", ": empty file"),
    ("t.csv.gz", b"", ": empty file"),
    ("t.parquet", b"", ": empty file"),
    ("t.csv.gz", gzip.compress(b""), ": empty file"),
    ("t.csv", b"\xef\xbb\xbf\r\n \r\n", ": empty file"),
    ("t.csv", HEADER.encode(), ": no rows of prices"),
    ("t.csv", b"a,b\n1,2\n", ": the columns are 'a', 'b'; known layouts are unique_id, ds, y; ticker, date, close"),
    ("t.csv", b"\n" + GOOD.encode(), ": the columns are not on the first line; known"),
    ("t.csv", b"unique_id;ds;y\nA;2024-01-02;1\n", ": the columns are 'unique_id;ds;y'; known"),
    ("t.csv", b"<!DOCTYPE html>\n<p>Not found</p>\n", ": the columns are '<!DOCTYPE html>'; known"),
    ("t.csv", b",".join([b"x"] * 500) + b"\n", ": the columns are 'x', 'x', "),
    ("t.csv", b"x" * 200_000 + b"\n", ": the columns are 'xxxxx"),
    # one file of several symbols is no single series of Yahoo's
    ("t.csv", b"symbol,date,open,high,low,close\nA,2024-01-02,1,1,1,1\n", ": the columns are 'symbol', 'date'"),
    ("t.csv", b"unique_id,ds,y,Y\nA,2024-01-02,1,2\n", ": the header names 'y' 2 times"),
    ("t.csv", GOOD.encode() + b"S\xe3o,2024-01-02,1\n", " line 4: not UTF-8 text; save the file as UTF-8"),
    ("t.csv.gz", gzip.compress(GOOD.encode() + b"\n\xff\n"), " line 5: not UTF-8 text; save the file as UTF-8"),
    ("t.csv", b"unique_id,ds,y,pre\xe7o\n", " line 1: not UTF-8 text; save the file as UTF-8"),
    ("t.csv", GOOD.encode("utf-16"), ": holds UTF-16 text, not the UTF-8 text its name promises"),
    ("t.csv", GOOD.encode() + b"A,\0\n", ": holds binary data, not the UTF-8 text its name promises"),
    ("t.csv", gzip.compress(GOOD.encode()), ": holds gzip, not the UTF-8 text its name promises"),
    ("t.csv", parquet_bytes(), ": holds Parquet, not the UTF-8 text its name promises"),
    ("t.csv", GOOD.encode() + b"A,2024-01-04," + b"1" * 3_000_000, ": can't be read as lines of comma-separated"),
    ("t.csv.gz", GOOD.encode(), ": holds UTF-8 text, not the gzip its name promises"),
    ("t.csv.gz", gzip.compress(parquet_bytes()), ": holds gzipped Parquet, not the gzipped UTF-8 text its"),
    ("t.csv.gz", gzip.compress(GOOD.encode())[:-12], ": the gzip data is cut short"),
    ("t.csv.gz", gzip.compress(GOOD.encode())[:-8] + bytes(8), ": the gzip data is damaged"),
    ("t.csv.gz", gzip.compress(GOOD.encode() + b"\n" * (1 << 21))[:-8] + bytes(8), ": the gzip data is damaged"),
    ("t.csv.gz", gzip.compress(GOOD.encode()) + b"more", ": the gzip data is damaged"),
    ("t.parquet", GOOD.encode(), ": holds UTF-8 text, not the Parquet its name promises"),
    ("t.parquet", parquet_bytes()[:-9], ": the Parquet data is cut short"),
    ("t.parquet", b"PAR1", ": the Parquet data is cut short"),
    ("t.parquet", b"PAR1" + b"\xff" * 99 + b"PAR1", ": the Parquet data is damaged"),
    ("t.xlsx", b"PK", ": unknown ending; a price file ends in .csv, .csv.gz or .parquet"),
    ("t", b"", ": unknown ending; a price file ends in .csv, .csv.gz or .parquet"),
]


@pytest.mark.parametrize(("name", "content", "fault"), FILE_FAULTS, ids=range(len(FILE_FAULTS)))
def test_an_unreadable_file_is_refused_in_one_line(tmp_path, name, content, fault):
    good, bad = write(tmp_path / "good.csv", GOOD), write(tmp_path / name, content)
    message = refusal(good, bad)
    assert message.startswith(f"{bad}{fault}")
    assert len(message) < len(str(bad)) + 500


def test_what_is_no_file_is_refused_by_its_name(tmp_path):
    gone, empty = tmp_path / "gone.csv", tmp_path / "empty"
    empty.mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    assert refusal(gone) == f"{gone}: no such file"
    assert refusal(empty) == f"{empty}: no file in this folder ends in .csv, .csv.gz or .parquet"
    assert refusal(tmp_path / "gone") == f"{tmp_path / 'gone'}: no such file or folder"
    assert refusal(tmp_path / "pipe.csv") == f"{tmp_path / 'pipe.csv'}: not a file"
    assert "can't be read (File name too long)" in refusal(tmp_path / f"{'long' * 99}.csv")
    assert "rename it" in refusal(Path(os.fsdecode(b"\xff.csv")))
    assert refusal() == "no file of prices was named"


def test_a_name_of_two_lines_is_shown_on_one(tmp_path):
    path = write(tmp_path / "two\nlines.csv", HEADER + "A,2024-01-02,x\n")
    assert refusal(path) == f"{str(path)!r} line 2: y is 'x', not a price"


def test_a_cell_in_quotes_that_goes_on_in_the_next_line_is_a_fault(tmp_path):
    path = write(tmp_path / "t.csv", 'unique_id,ds,y,note\nA,2024-01-02,1,"two\nlines"\n')
    assert refusal(path) == f"{path} line 2: a cell in quotes does not end on its line"


def test_the_bounds_in_messages_are_those_of_the_checks():
    assert (float(LOWEST), float(HIGHEST)) == (LOWEST_PRICE, HIGHEST_PRICE)


@pytest.mark.slow
def test_the_line_number_is_right_deep_in_a_long_file_with_blank_lines(tmp_path):
    lines = [f"A{n // 250},{np.datetime64('2000-01-01') + n % 250},{n + 1}" for n in range(50_000)]
    random.Random(0).shuffle(lines)
    for at in range(100, 50_000, 997):
        lines.insert(at, "")
    lines[40_000] = "A7,yesterday,1"
    for name in ("t.csv", "t.csv.gz"):
        path = write(tmp_path / name, HEADER + "\n".join(lines))
        assert refusal(path) == f"{path} line 40002: ds is 'yesterday', not a calendar date (YYYY-MM-DD)"
