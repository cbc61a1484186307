"""Reading price tables: however they are written, they read back exactly."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import os
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.data.prices import make_prices, read_prices
from tests.export.data.price_tables import as_table, refusal
from tests.lambda_fn.tables.price_tables import GOOD, HEADER, YAHOO, YAHOO_DAY, write, write_parquet

ids = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda text: text == text.strip(" \t")
)
days = st.dates(datetime.date(1, 1, 1), datetime.date(9999, 12, 31))
tables = st.dictionaries(
    ids, st.dictionaries(days, st.floats(1e-9, 1e12), min_size=1, max_size=12), min_size=1, max_size=5
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_any_closes_read_back_identically_from_csv_and_parquet_in_any_row_order(table, shuffler):
    rows = [(unique_id, day, y) for unique_id, closes in table.items() for day, y in closes.items()]
    shuffler.shuffle(rows)
    text = io.StringIO()
    csv.writer(text).writerows([("unique_id", "ds", "y"), *((i, d, repr(y)) for i, d, y in rows)])
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as database:
        plain = write(Path(folder, "t.csv"), text.getvalue())
        zipped = write(Path(folder, "t.csv.gz"), text.getvalue())
        parquet = Path(folder, "t.parquet")
        database.execute("CREATE TABLE t (unique_id VARCHAR, ds DATE, y DOUBLE)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        database.execute(f"COPY t TO '{parquet}'")
        read = [read_prices([path], minimum=1) for path in (plain, zipped, parquet)]
    wanted = make_prices({unique_id: (list(c), list(c.values())) for unique_id, c in table.items()})
    assert {prices.digest() for prices in read} == {wanted.digest()}
    assert read[0].ids == tuple(sorted(table))
    for prices in read:
        assert as_table(prices) == {
            unique_id: {day.isoformat(): y for day, y in sorted(closes.items())} for unique_id, closes in table.items()
        }


def test_a_folder_is_its_price_files_sorted_and_nothing_below_or_beside_them(tmp_path):
    for name, series in (("b.csv.gz", "B"), ("a.CSV", "A"), (".hidden.csv", "H")):
        write(tmp_path / name, GOOD.replace("A,", f"{series},"))
    write_parquet(tmp_path / "c.parquet", "SELECT 'C' AS unique_id, DATE '2024-01-02' AS ds, 1 AS y")
    write(tmp_path / "notes.txt", "not a table")
    (tmp_path / "deeper.csv").mkdir()
    write(tmp_path / "deeper.csv" / "d.csv", "not a table")
    prices = read_prices([tmp_path], minimum=1)
    assert prices.ids == ("A", "B", "C")
    assert prices.sources == tuple(str(tmp_path / name) for name in ("a.CSV", "b.csv.gz", "c.parquet"))


def test_reading_writes_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    read_prices([write(Path("t.csv.gz"), GOOD)], minimum=1)
    assert os.listdir() == ["t.csv.gz"]


@pytest.mark.parametrize(
    ("column", "close"), [(None, 5.0), ("Close", 10.0), ("close", 10.0), ("Adj Close", 5.0), ("adj close", 5.0)]
)
def test_yahoo_gives_the_adjusted_close_unless_the_other_is_chosen_and_says_which(tmp_path, column, close):
    path = write(tmp_path / "PETR4.SA.yahoo.csv.gz", YAHOO + YAHOO_DAY)
    prices = read_prices([path], minimum=1, column=column)
    assert as_table(prices) == {"PETR4.SA": {"2024-01-02": close}}
    assert prices.notes == (f"{path}: the price is column '{'Adj Close' if close == 5 else 'Close'}'",)


@pytest.mark.parametrize(
    ("name", "unique_id"),
    [("PETR4.SA.csv", "PETR4.SA"), ("BRK.B.YAHOO.CSV", "BRK.B"), ("yahoo.csv.gz", "yahoo"), ("^GSPC.csv", "^GSPC")],
)
def test_a_yahoo_series_is_named_by_its_file(tmp_path, name, unique_id):
    assert read_prices([write(tmp_path / name, YAHOO + YAHOO_DAY)], minimum=1).ids == (unique_id,)


def test_yahoos_null_rows_of_holidays_are_dropped_and_counted(tmp_path):
    holidays = "2024-01-03,null,null,null,null,null,null\n2024-01-04,,,,,,0\n"
    path = write(tmp_path / "X.csv", YAHOO + YAHOO_DAY + holidays)
    prices = read_prices([path], minimum=1)
    assert len(prices) == 1
    assert f"{path}: null rows of holidays, dropped: 2" in prices.notes


def test_a_yahoo_row_that_lacks_only_its_close_is_a_fault_and_no_holiday(tmp_path):
    path = write(tmp_path / "X.csv", YAHOO + YAHOO_DAY + "2024-01-03,9,11,8,10,,700\n")
    assert refusal(path) == f"{path} line 3: Adj Close is empty"


def test_a_yahoo_file_of_holidays_alone_is_too_short(tmp_path):
    path = write(tmp_path / "X.csv", YAHOO + "2024-01-03,null,null,null,null,null,null\n")
    assert refusal(path, minimum=0) == f"{path}: X is too short: 0 of at least 1 rows"


def test_yahoo_without_adjusted_closes_is_read_with_a_word_of_warning(tmp_path):
    path = write(tmp_path / "X.csv", "Date,Open,High,Low,Close,Volume\n2024-01-02,1,1,1,10,7\n")
    prices = read_prices([path], minimum=1)
    assert as_table(prices) == {"X": {"2024-01-02": 10.0}}
    assert "no 'Adj Close', so splits may show as jumps" in prices.notes[0]
    assert refusal(path, column="Adj Close") == f"{path}: there is no column 'Adj Close'"


def test_a_choice_of_column_that_could_mean_nothing_is_refused(tmp_path):
    path = write(tmp_path / "t.csv", GOOD)
    assert refusal(path, column="Open") == "column: 'Open' is not one of 'Adj Close', 'Close'"
    assert refusal(path, column="Close").startswith(f"column: the price of {path} is in y")


@pytest.fixture
def real_prices(tmp_path) -> Path:
    """The folder of real prices, or in its absence a small one of the same two files and layouts."""
    if os.environ.get("EFEMERA_DATA"):
        return Path(os.environ["EFEMERA_DATA"])
    assert not os.environ.get("CI"), "in CI the real prices must be there: set EFEMERA_DATA"
    chance = np.random.default_rng(0)
    weekdays = [str(day) for day in np.arange("1998-01-01", "2000-01-01", dtype="datetime64[D]") if np.is_busday(day)]
    closes = {name: 30 * np.exp(np.cumsum(chance.normal(0, 0.02, len(weekdays)))) for name in ("PETR4", "SPY")}
    long = "".join(f"{name},{ds},{y:.6f}\n" for name in closes for ds, y in zip(weekdays, closes[name], strict=True))
    yahoo = "".join(
        f"{ds},null,null,null,null,null,null\n" if ds.endswith("-25") else f"{ds},1,1,1,1,{y:.6f},7\n"
        for ds, y in zip(weekdays, closes["PETR4"], strict=True)
    )
    write(tmp_path / "prices.csv.gz", HEADER + long)
    write(tmp_path / "PETR4.SA.yahoo.csv.gz", YAHOO + yahoo)
    return tmp_path


def test_real_prices_read_as_pythons_own_csv_reader_reads_them(real_prices):
    path = real_prices / "prices.csv.gz"
    with gzip.open(path, "rt", newline="") as lines:
        rows = list(csv.DictReader(lines))
    prices = read_prices([path], minimum=65)
    assert len(prices) == len(rows)
    read = as_table(prices)
    assert all(read[row["unique_id"]][row["ds"]] == float(row["y"]) for row in rows)


def test_real_yahoo_prices_read_as_pythons_own_csv_reader_reads_them(real_prices):
    path = real_prices / "PETR4.SA.yahoo.csv.gz"
    with gzip.open(path, "rt", newline="") as lines:
        rows = list(csv.DictReader(lines))
    traded = {row["Date"]: float(row["Adj Close"]) for row in rows if row["Adj Close"] != "null"}
    prices = read_prices([path], minimum=65)
    assert as_table(prices) == {"PETR4.SA": traded}
    assert f"{path}: null rows of holidays, dropped: {len(rows) - len(traded)}" in prices.notes


@pytest.mark.slow
def test_a_folder_of_real_prices_reads_as_its_files_do(real_prices, tmp_path):
    names = ("PETR4.SA.yahoo.csv.gz", "prices.csv.gz")
    folder = tmp_path / "these alone"
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(real_prices / name)
    both = read_prices([folder], minimum=65)
    apart = [read_prices([real_prices / name], minimum=65) for name in names]
    assert as_table(both) == as_table(apart[0]) | as_table(apart[1])
