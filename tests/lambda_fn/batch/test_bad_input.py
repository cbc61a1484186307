"""Input that can't be read at all is refused in one line that names it, and nothing is written."""

import contextlib
import gzip
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_fn.batch import plan
from lambda_fn.tables.price_files import InputRefused
from tests.lambda_fn.batch.market import table
from tests.lambda_fn.batch.runs import run

LAYOUTS = (
    "known layouts are unique_id, ds, y; ticker, date, close; "
    "or Yahoo's Date, Open, High, Low, Close, Adj Close, Volume"
)
HEADER = b"unique_id,ds,y\n"


@pytest.fixture
def of(refusal, tmp_path):
    """Plan with a file of this name and content: return the refusal's message after the name."""

    def said(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        words = refusal(path)
        assert words.startswith(str(path))
        return words.removeprefix(str(path)).removeprefix(": ")

    return said


@pytest.fixture(scope="module")
def small():
    return table(3)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "prices.parquet"
    table(300).to_parquet(path, index=False, compression="snappy")
    return path


def test_a_file_that_is_not_there(refusal, tmp_path):
    assert refusal(tmp_path / "none.csv") == f"{tmp_path}/none.csv: no such file"
    assert refusal(tmp_path / "none") == f"{tmp_path}/none: no such file or folder"


def test_one_missing_file_among_others_refuses_all(refusal, prices, tmp_path):
    assert refusal(prices, tmp_path / "none.parquet") == f"{tmp_path}/none.parquet: no such file"


def test_no_place_at_all(refusal):
    assert refusal() == "no file of prices was named"


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz", "p.parquet"])
def test_an_empty_file(of, name):
    content = gzip.compress(b"") if name.endswith(".gz") else b""
    assert of(name, content) == "empty file"


@pytest.mark.parametrize("content", [HEADER, HEADER.rstrip(), HEADER + b"\n  \n\r\n"])
def test_a_header_alone(refusal, tmp_path, content):
    (tmp_path / "p.csv").write_bytes(content)
    assert refusal(tmp_path / "p.csv") == "the files hold no rows of prices"


def test_parquet_without_a_row(refusal, small, tmp_path):
    path = tmp_path / "p.parquet"
    pq.ParquetWriter(path, pa.Table.from_pandas(small, preserve_index=False).schema).close()
    assert refusal(path) == "the files hold no rows of prices"


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("a,b", "'a', 'b'"),
        ("unique_id,ds", "'unique_id', 'ds'"),
        ("date,close", "'date', 'close'"),
        ("symbol,Date,Open,High,Low,Close", "'symbol', 'Date', 'Open', 'High', 'Low', 'Close'"),  # of several series
        ("unique_id;ds;y", "'unique_id;ds;y'"),
        ("A,2026-11-19,12.5", "'A', '2026-11-19', '12.5'"),
        (f"{'x' * 50},b", f"'{'x' * 30}', 'b'"),
    ],
)
def test_columns_of_no_known_layout(of, header, shown):
    assert of("p.csv", f"{header}\nA,2026-11-19,1\n".encode()) == f"the columns are {shown}; {LAYOUTS}"


def test_columns_of_no_known_layout_in_parquet(refusal, small, tmp_path):
    path = tmp_path / "p.parquet"
    small.rename(columns={"y": "price"}).to_parquet(path, index=False)
    assert refusal(path) == f"{path}: the columns are 'unique_id', 'ds', 'price'; {LAYOUTS}"


def test_a_header_that_comes_after_a_blank_line(of):
    assert of("p.csv", b"\n" + HEADER) == f"the columns are not on the first line; {LAYOUTS}"


def test_a_column_named_twice(of):
    assert of("p.csv", b"unique_id,ds,y,Y\nA,2026-11-19,1,2\n") == "the header names 'y' 2 times"


def test_a_first_line_too_long_to_be_a_header(of):
    assert of("p.csv", b"x" * 200_000).startswith(" line 1: no header")


@pytest.mark.parametrize(
    ("column", "values", "kind", "meaning"),
    [
        ("ds", [20261119] * 210, "BIGINT", "dates"),
        ("ds", [1.5] * 210, "DOUBLE", "dates"),
        ("y", ["32.50"] * 210, "VARCHAR", "numbers"),
        ("y", [True] * 210, "BOOLEAN", "numbers"),
        ("y", [[1.0]] * 210, "DOUBLE[]", "numbers"),
        ("unique_id", [1.0] * 210, "DOUBLE", "text"),
        ("unique_id", [b"A"] * 210, "BLOB", "text"),
    ],
)
def test_a_column_of_a_type_that_can_hold_no_such_thing(refusal, small, tmp_path, column, values, kind, meaning):
    path = tmp_path / "p.parquet"
    small.assign(**{column: values}).to_parquet(path, index=False)
    assert refusal(path) == f"{path}: column '{column}' is of type {kind}, but must hold {meaning}"


def test_what_is_no_parquet(of):
    assert of("p.parquet", HEADER) == "holds no Parquet"


@pytest.mark.parametrize("length", [4, 5, 8, 11, 1000, -1, -4, -8])
def test_parquet_cut_short(of, parquet, length):
    assert of("p.parquet", parquet.read_bytes()[:length]) == "the Parquet data is cut short"


def test_parquet_whose_list_of_columns_is_damaged(of, parquet):
    content = bytearray(parquet.read_bytes())
    content[-100:-8] = b"\xff" * 92
    assert of("p.parquet", bytes(content)) == "the Parquet data is damaged"


@pytest.mark.parametrize(("column", "at"), [("unique_id", 0), ("unique_id", 400), ("ds", 0), ("ds", 400), ("y", 0)])
def test_parquet_whose_rows_are_damaged(of, parquet, column, at):
    content = bytearray(parquet.read_bytes())
    group = pq.ParquetFile(parquet).metadata.row_group(0)
    [chunk] = [group.column(n) for n in range(3) if group.column(n).path_in_schema == column]
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start + at : start + at + 40] = b"\xff" * 40
    said = of("p.parquet", bytes(content))
    assert said in ("the Parquet data is damaged", "can't be read")


def test_the_damaged_one_of_many_files_is_named(refusal, small, parquet, tmp_path):
    content = bytearray(parquet.read_bytes())
    content[-100:-8] = b"\xff" * 92
    for name in "abd":
        small.to_parquet(tmp_path / f"{name}.parquet", index=False)
    (tmp_path / "c.parquet").write_bytes(content)
    assert refusal(tmp_path) == f"{tmp_path}/c.parquet: the Parquet data is damaged"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_parquet_file_with_any_bytes_changed_is_read_or_refused_and_never_crashes(tmp_path_factory, small, data):
    folder = tmp_path_factory.mktemp("damaged")
    small.to_parquet(folder / "p.parquet", index=False)
    content = bytearray((folder / "p.parquet").read_bytes())
    at = data.draw(st.integers(4, len(content) - 5))
    damage = data.draw(st.binary(min_size=1, max_size=30))
    content[at : at + len(damage)] = damage[: len(content) - 4 - at]
    (folder / "p.parquet").write_bytes(content)
    with contextlib.suppress(InputRefused):
        run(folder / "p.parquet", folder / "out")


def test_gzip_cut_short(of, small):
    whole = gzip.compress(small.to_csv(index=False).encode())
    for length in (len(whole) // 2, len(whole) - 1, len(whole) - 8):
        assert of("p.csv.gz", whole[:length]) == "the gzip data is cut short"


def test_gzip_damaged(of, small):
    whole = bytearray(gzip.compress(small.to_csv(index=False).encode()))
    whole[-5] ^= 1  # its checksum
    assert of("p.csv.gz", bytes(whole)) == "the gzip data is damaged"
    assert of("p.csv.gz", HEADER) == "the gzip data is damaged"


def test_text_that_is_not_utf_8(of):
    assert of("p.csv", HEADER + "AÇÃO,2026-11-19,1\n".encode("latin-1")) == (
        " line 2: not UTF-8 text; save the file as UTF-8"
    )
    assert of("p.csv", "preço,ds,y\n".encode("latin-1")) == " line 1: not UTF-8 text; save the file as UTF-8"
    assert of("p.csv.gz", gzip.compress(HEADER * 3 + b"\xff\n")) == " line 4: not UTF-8 text; save the file as UTF-8"


@pytest.mark.parametrize("content", ["unique_id,ds,y\n".encode("utf-16"), gzip.compress(HEADER), b"PAR1PAR1", b"\0"])
def test_a_csv_that_holds_something_else(of, content):
    assert of("p.csv", content) == "holds no UTF-8 text"


def test_a_line_longer_than_any_row(of):
    assert of("p.csv", HEADER + b"A,2026-11-19," + b"1" * 3_000_000) == "not lines of comma-separated fields"


@pytest.mark.parametrize("name", ["p.txt", "p.csv.bz2", "p.xlsx", "prices", "p.csv.zip", "csv"])
def test_an_ending_that_is_not_known(of, name):
    assert of(name, HEADER) == "unknown ending; a price file ends in .csv, .csv.gz or .parquet"


def test_a_folder_without_a_price_file(refusal, tmp_path):
    folder = tmp_path / "prices"
    (folder / "deeper").mkdir(parents=True)
    (folder / "deeper" / "p.csv").write_bytes(HEADER)
    (folder / "notes.txt").write_bytes(HEADER)
    assert refusal(folder) == f"{folder}: no file in this folder ends in .csv, .csv.gz or .parquet"


# DuckDB can't be handed such a path, and would say `std::bad_cast`.
@pytest.mark.parametrize("ending", [b".csv", b".parquet"])
def test_a_file_whose_name_is_not_utf_8(refusal, small, tmp_path, ending):
    (tmp_path / "prices").mkdir()
    (tmp_path / "p.csv").write_text(small.to_csv(index=False))
    small.to_parquet(tmp_path / "p.parquet", index=False)
    content = (tmp_path / f"p{ending.decode()}").read_bytes()
    with open(os.fsencode(tmp_path / "prices") + b"/a\xff" + ending, "wb") as file:
        file.write(content)
    refusal(tmp_path / "prices")


# The run would stand under the digest of what was there before.
def test_a_file_that_changes_while_it_is_read(refusal, small, tmp_path, monkeypatch):
    path, read = tmp_path / "p.csv", plan.read_closes
    path.write_text(small.to_csv(index=False))

    def meanwhile(*arguments):
        with path.open("a") as file:
            file.write("late,2026-11-19,1\n")
        return read(*arguments)

    monkeypatch.setattr(plan, "read_closes", meanwhile)
    assert "p.csv" in refusal(path)
