"""Parquet may hold days, ids and prices in any type that fits them, compressed and ordered in any way."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.lambda_fn.batch.market import table


@pytest.fixture(scope="module")
def many():
    """Twenty-six series."""
    return table(26, seed=3)


def parquet(path, closes, **columns):
    """Write the closes as Parquet, with some columns of another type."""
    made = pa.Table.from_pandas(closes, preserve_index=False)
    for name, kind in columns.items():
        made = made.set_column(made.column_names.index(name), name, kind(made[name]))
    pq.write_table(made, path)
    return path


def moments(unit, zone=None):
    return lambda column: column.cast(pa.timestamp("us")).cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))


def as_text(column):
    return pa.array([str(day)[:10] for day in column.to_pylist()])


DAY_TYPES = {
    "date32": lambda column: column.cast(pa.date32()),
    "date64": lambda column: column.cast(pa.date64()),
    "timestamp[s]": moments("s"),
    "timestamp[ms]": moments("ms"),
    "timestamp[us]": moments("us"),
    "timestamp[ns]": moments("ns"),
    "timestamp[ms, UTC]": moments("ms", "UTC"),
    "timestamp[us, UTC]": moments("us", "UTC"),
    "timestamp[ns, UTC]": moments("ns", "UTC"),
    "text": as_text,
    "text with midnight": lambda column: pa.array([f"{day} 00:00:00" for day in as_text(column).to_pylist()]),
    "text with a zone": lambda column: pa.array([f"{day}T00:00:00-03:00" for day in as_text(column).to_pylist()]),
    "dictionary of text": lambda column: as_text(column).dictionary_encode(),
}


def each_in_a_file(folder, closes, kinds, write):
    """Write a file for each kind, with a series or several of its own; write(path, rows, kind) makes it."""
    folder.mkdir()
    shares = np.array_split(sorted(set(closes["unique_id"])), len(kinds))
    for number, (kind, names) in enumerate(zip(kinds, shares, strict=True)):
        write(folder / f"{number:02}.parquet", closes[closes["unique_id"].isin(names)], kind)
    return folder


def test_days_in_parquet_may_be_of_any_type_that_holds_days(gives, many, tmp_path):
    def write(path, rows, kind):
        parquet(path, rows, ds=DAY_TYPES[kind])

    gives(each_in_a_file(tmp_path / "p", many, DAY_TYPES, write), expected=many)


ID_TYPES = {
    "string": lambda column: column,
    "large string": lambda column: column.cast(pa.large_string()),
    "dictionary": lambda column: column.dictionary_encode(),
    "dictionary of int8": lambda column: pa.DictionaryArray.from_arrays(
        pa.array(pd.factorize(column.to_pandas())[0], pa.int8()), pa.array(sorted(set(column.to_pylist())))
    ),
}


def test_ids_in_parquet_may_be_any_text(gives, closes, tmp_path):
    def write(path, rows, kind):
        parquet(path, rows, unique_id=ID_TYPES[kind])

    gives(each_in_a_file(tmp_path / "p", closes, ID_TYPES, write))


def test_ids_in_parquet_may_be_whole_numbers(gives, closes, tmp_path):
    kinds = ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"]
    numbers = closes["unique_id"].str[1:].astype(int)

    def write(path, rows, kind):
        rows.assign(unique_id=numbers.astype(kind)).to_parquet(path, index=False)

    folder = each_in_a_file(tmp_path / "p", closes, kinds, write)
    gives(folder, expected=closes.assign(unique_id=numbers.astype(str)))


PRICE_TYPES = {
    "float32": pa.float32(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint16": pa.uint16(),
    "decimal(18, 2)": pa.decimal128(18, 2),
    "decimal(50, 4)": pa.decimal256(50, 4),
}


def test_prices_in_parquet_may_be_of_any_type_of_number(gives, closes, tmp_path):
    read = []

    def write(path, rows, kind):
        whole = rows.assign(y=rows["y"].round()) if "int" in kind else rows
        parquet(path, whole, y=lambda column: as_number(column, PRICE_TYPES[kind]))
        read.append(rows.assign(y=[float(price) for price in pq.read_table(path)["y"].to_pylist()]))

    folder = each_in_a_file(tmp_path / "p", closes, PRICE_TYPES, write)
    gives(folder, expected=pd.concat(read))


def as_number(column, kind):
    if pa.types.is_decimal(kind):
        return pa.array([f"{price:.2f}" for price in column.to_pylist()]).cast(kind)
    return column.cast(kind)


def test_parquet_may_be_compressed_in_any_way(gives, closes, tmp_path):
    def write(path, rows, kind):
        rows.to_parquet(path, index=False, compression=kind)

    kinds = ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]
    gives(each_in_a_file(tmp_path / "p", closes, kinds, write))


def test_parquet_of_many_row_groups_and_in_any_order(gives, closes, tmp_path):
    closes.sample(frac=1, random_state=1).to_parquet(tmp_path / "p.parquet", index=False, row_group_size=50)
    gives(tmp_path / "p.parquet")
