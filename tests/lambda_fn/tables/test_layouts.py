"""Prices in any layout read as the same closes."""

import gzip

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.lambda_fn.tables.price_tables import read, read_in_batch, refusal
from tests.lambda_fn.tables.test_parquet_types import as_text, parquet


def to_csv(closes, **more):
    return closes.to_csv(index=False, **more)


def test_csv(gives, closes, tmp_path):
    (tmp_path / "p.csv").write_text(to_csv(closes))
    gives(tmp_path / "p.csv")


def test_gzipped_csv(gives, closes, tmp_path):
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(to_csv(closes).encode()))
    gives(tmp_path / "p.csv.gz")


def test_gzip_of_several_members_is_read_to_its_end(gives, closes, tmp_path):
    text = to_csv(closes).encode()
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(text[:1000]) + gzip.compress(text[1000:]))
    gives(tmp_path / "p.csv.gz")


def test_an_ending_in_capitals(gives, closes, tmp_path):
    (tmp_path / "P.CSV").write_text(to_csv(closes))
    gives(tmp_path / "P.CSV")


def test_other_columns_are_left_alone_whatever_they_are_called(gives, closes, tmp_path):
    names = ("filename", "file", "width", "raw_id", "raw_ds", "raw_y", "holiday", "fault", "hash", "line", "volume")
    closes.assign(**dict.fromkeys(names, "x"), nested=[{"y": [1]}] * len(closes)).to_parquet(tmp_path / "p.parquet")
    closes.assign(**dict.fromkeys(names, "x")).to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.parquet")
    gives(tmp_path / "p.csv")


def test_columns_may_be_in_any_order_with_others_between(gives, closes, tmp_path):
    closes.assign(volume=5, note="a, b")[["y", "volume", "ds", "note", "unique_id"]].to_csv(
        tmp_path / "p.csv", index=False
    )
    gives(tmp_path / "p.csv")


@pytest.mark.parametrize("names", [["ticker", "date", "close"], ["Ticker", "Date", "Close"]])
def test_ticker_date_close(gives, closes, tmp_path, names):
    closes.set_axis(names, axis=1).to_csv(tmp_path / "p.csv", index=False)
    closes.set_axis(names, axis=1).to_parquet(tmp_path / "p.parquet", index=False)
    gives(tmp_path / "p.csv")
    gives(tmp_path / "p.parquet")


def test_of_two_closes_the_adjusted_one_is_read(gives, closes, tmp_path):
    named = closes.set_axis(["ticker", "date", "adj close"], axis=1).assign(close=1.0)
    named.to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.csv")


def yahoo(rows):
    """One series as Yahoo's own file has it."""
    made = pd.DataFrame({"Date": rows["ds"].dt.strftime("%Y-%m-%d").to_numpy()})
    for name in ("Open", "High", "Low", "Close"):
        made[name] = 2 * rows["y"].to_numpy()  # before a split, say
    return made.assign(**{"Adj Close": rows["y"].to_numpy(), "Volume": 100})


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".csv", ".yahoo.csv", ".csv.gz", ".parquet", ".CSV"])
def test_a_file_of_yahoo_s_is_the_series_it_is_called_after(gives, closes, tmp_path, ending):
    folder = tmp_path / "yahoo"
    folder.mkdir()
    for name, rows in closes.groupby("unique_id"):
        path = folder / f"{name}{ending}"
        if ending == ".parquet":
            yahoo(rows).to_parquet(path, index=False)
        else:
            text = yahoo(rows).to_csv(index=False).encode()
            path.write_bytes(gzip.compress(text) if ending == ".csv.gz" else text)
    gives(folder)


@pytest.mark.parametrize("nothing", ["null", "", "NaN", "NULL"])
def test_a_holiday_of_yahoo_s_with_no_price_at_all_is_no_row(gives, closes, tmp_path, nothing):
    rows = closes[closes["unique_id"] == "S0003"]
    lines = yahoo(rows).to_csv(index=False).splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith("2026-10-12")]
    lines[at] = ",".join(["2026-10-12", *[nothing] * 5, "0"])
    (tmp_path / "S0003.csv").write_text("\n".join(lines))
    without = rows[rows["ds"] != "2026-10-12"]
    gives(tmp_path / "S0003.csv", expected=without)


@pytest.mark.slow
def test_one_file_a_day_with_every_ticker_in_any_order(gives, closes, tmp_path):
    folder = tmp_path / "days"
    folder.mkdir()
    for day, rows in closes.groupby("ds"):
        rows.sample(frac=1, random_state=day.day).to_csv(folder / f"{day:%Y%m%d}.csv", index=False)
    gives(folder)


@pytest.mark.slow
def test_many_files_of_every_format_and_layout_make_one_table(gives, closes, tmp_path):
    parts = [closes[closes["unique_id"].isin(names)] for names in np.array_split(closes["unique_id"].unique(), 6)]
    parts[0].to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(to_csv(parts[1].iloc[:, ::-1]).encode()))
    parts[2].to_parquet(tmp_path / "c.parquet", index=False)
    parquet(tmp_path / "d.parquet", parts[3], ds=as_text, unique_id=lambda column: column.dictionary_encode())
    parts[4].set_axis(["ticker", "date", "close"], axis=1).to_csv(tmp_path / "e.csv", index=False)
    folder = tmp_path / "yahoo"
    folder.mkdir()
    for name, rows in parts[5].groupby("unique_id"):
        yahoo(rows).to_csv(folder / f"{name}.csv", index=False)
    gives(tmp_path / "a.csv", *(tmp_path / name for name in ("b.csv.gz", "c.parquet", "d.parquet", "e.csv")), folder)
    gives(tmp_path, folder)  # the same by their folder, with that of Yahoo's beside it


def test_a_series_may_be_spread_over_files_of_different_formats(gives, closes, tmp_path):
    by_row = np.arange(len(closes)) % 3
    closes[by_row == 0].to_csv(tmp_path / "a.csv", index=False)
    closes[by_row == 1].to_parquet(tmp_path / "b.parquet", index=False)
    closes[by_row == 2].set_axis(["ticker", "date", "close"], axis=1).to_csv(tmp_path / "c.csv", index=False)
    gives(tmp_path)


def test_a_number_as_an_id_is_the_same_series_in_csv_and_parquet(gives, closes, tmp_path):
    numbered = closes.assign(unique_id=closes["unique_id"].str[1:].astype(int))
    early = numbered["ds"] < "2026-10-15"
    numbered[early].to_csv(tmp_path / "a.csv", index=False)
    numbered[~early].to_parquet(tmp_path / "b.parquet", index=False)
    gives(tmp_path, expected=numbered.assign(unique_id=numbered["unique_id"].astype(str)))


def test_the_same_file_named_twice_counts_once(gives, closes, tmp_path):
    closes.to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.csv", tmp_path / "p.csv")


def test_two_files_of_one_name_are_both_read(gives, closes, tmp_path):
    half = closes["unique_id"] < "S0006"
    for name, rows in (("a", closes[half]), ("b", closes[~half])):
        (tmp_path / name).mkdir()
        rows.to_csv(tmp_path / name / "prices.csv", index=False)
    gives(tmp_path / "a", tmp_path / "b")


def test_files_without_a_row_do_no_harm_to_a_batch_and_are_named_elsewhere(closes, tmp_path):
    closes.to_parquet(tmp_path / "a.parquet", index=False)
    pq.ParquetWriter(tmp_path / "b.parquet", pq.read_schema(tmp_path / "a.parquet")).close()  # no row group
    (tmp_path / "c.csv").write_text("unique_id,ds,y\n")
    assert read_in_batch(tmp_path) == read(tmp_path / "a.parquet")
    assert refusal(tmp_path) == f"{tmp_path}/b.parquet: no rows of prices"


# pandas knows no type for a column without a value.
def test_an_empty_table_as_pandas_writes_it_is_one_without_a_row(closes, tmp_path):
    closes.to_parquet(tmp_path / "a.parquet", index=False)
    closes[:0].to_parquet(tmp_path / "b.parquet", index=False)
    assert read_in_batch(tmp_path) == read(tmp_path / "a.parquet")
    assert refusal(tmp_path) == f"{tmp_path}/b.parquet: no rows of prices"


def test_files_of_other_endings_in_the_folder_are_left_alone(gives, closes, tmp_path):
    folder = tmp_path / "prices"
    (folder / "deeper.csv").mkdir(parents=True)
    closes.to_csv(folder / "a.csv", index=False)
    for name in ("notes.txt", ".hidden.csv", "a.csv.bak", "parquet"):
        (folder / name).write_text("no prices")
    (folder / "deeper.csv").rmdir()
    gives(folder)


def test_a_folder_may_be_called_like_a_file(gives, closes, tmp_path):
    (tmp_path / "prices.csv").mkdir()
    closes.to_csv(tmp_path / "prices.csv" / "a.csv", index=False)
    gives(tmp_path / "prices.csv")
