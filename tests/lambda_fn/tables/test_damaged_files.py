"""Price files that are damaged, of another kind or of no known layout are refused in one line that names them."""

import gzip
import os

import pyarrow.parquet as pq
import pytest

from tests.lambda_fn.batch.market import table
from tests.lambda_fn.tables.price_tables import HEADER, refusal

LAYOUTS = (
    "known layouts are unique_id, ds, y; ticker, date, close; "
    "or Yahoo's Date, Open, High, Low, Close, Adj Close, Volume"
)


@pytest.fixture
def of(tmp_path):
    """The refusal of a file of this name and content, without its name."""

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


@pytest.mark.parametrize(
    ("column", "values", "kind", "meaning"),
    [
        ("ds", [20261119] * 210, "BIGINT", "dates"),
        ("ds", [1.5] * 210, "DOUBLE", "dates"),
        ("y", ["32.50"] * 210, "text", "numbers"),
        ("y", [True] * 210, "BOOLEAN", "numbers"),
        ("y", [[1.0]] * 210, "DOUBLE[]", "numbers"),
        ("unique_id", [1.0] * 210, "DOUBLE", "text"),
        ("unique_id", [b"A"] * 210, "BLOB", "text"),
    ],
)
def test_a_column_of_a_type_that_can_hold_no_such_thing(small, tmp_path, column, values, kind, meaning):
    path = tmp_path / "p.parquet"
    small.assign(**{column: values}).to_parquet(path, index=False)
    assert refusal(path) == f"{path}: column '{column}' is of type {kind}, but must hold {meaning}"


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


def test_the_damaged_one_of_many_files_is_named(small, parquet, tmp_path):
    content = bytearray(parquet.read_bytes())
    content[-100:-8] = b"\xff" * 92
    for name in "abd":
        small.to_parquet(tmp_path / f"{name}.parquet", index=False)
    (tmp_path / "c.parquet").write_bytes(content)
    assert refusal(tmp_path) == f"{tmp_path}/c.parquet: the Parquet data is damaged"


def test_gzip_cut_short(of, small):
    whole = gzip.compress(small.to_csv(index=False).encode())
    for length in (len(whole) // 2, len(whole) - 1, len(whole) - 8):
        assert of("p.csv.gz", whole[:length]) == "the gzip data is cut short"


def test_gzip_damaged(of, small):
    whole = bytearray(gzip.compress(small.to_csv(index=False).encode()))
    whole[-5] ^= 1  # its checksum
    assert of("p.csv.gz", bytes(whole)) == "the gzip data is damaged"


@pytest.mark.parametrize("name", ["p.txt", "p.csv.bz2", "p.xlsx", "prices", "p.csv.zip", "csv"])
def test_an_ending_that_is_not_known(of, name):
    assert of(name, HEADER.encode()) == "unknown ending; a price file ends in .csv, .csv.gz or .parquet"


def test_a_folder_without_a_price_file(tmp_path):
    folder = tmp_path / "prices"
    (folder / "deeper").mkdir(parents=True)
    (folder / "deeper" / "p.csv").write_text(HEADER)
    (folder / "notes.txt").write_text(HEADER)
    assert refusal(folder) == f"{folder}: no file in this folder ends in .csv, .csv.gz or .parquet"


# DuckDB can't be handed such a path, and would say `std::bad_cast`.
@pytest.mark.parametrize("ending", [b".csv", b".parquet"])
def test_a_file_whose_name_is_not_utf_8(small, tmp_path, ending):
    (tmp_path / "prices").mkdir()
    (tmp_path / "p.csv").write_text(small.to_csv(index=False))
    small.to_parquet(tmp_path / "p.parquet", index=False)
    content = (tmp_path / f"p{ending.decode()}").read_bytes()
    with open(os.fsencode(tmp_path / "prices") + b"/a\xff" + ending, "wb") as file:
        file.write(content)
    assert "rename it" in refusal(tmp_path / "prices")
