"""Every way that prices may be laid out: the forecasts are those of an independent reading of the same closes."""

import codecs
import csv
import gzip
import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch import oracle
from tests.batch.market import DAY, one, table
from tests.batch.runs import run


@pytest.fixture(scope="module")
def closes():
    """Twelve series of closes to the cent, which any layout can hold."""
    found = table(12, seed=2)
    return found.assign(y=found["y"].clip(lower=1).round(2))


@pytest.fixture(scope="module")
def many():
    """Twenty-six series."""
    return table(26, seed=3)


@pytest.fixture(scope="module")
def expected(closes):
    return oracle.forecasts(closes, DAY)


@pytest.fixture
def gives(tmp_path, expected):
    """Hold the forecasts of some places against those expected."""

    def check(*places, expected=expected):
        ran = run(list(places), tmp_path / "out")
        assert set(ran.status["status"]) == {"forecast"}, ran.reasons
        pd.testing.assert_frame_equal(ran.forecasts[expected.columns], expected, check_exact=True)
        return ran

    return check


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


def parquet(path, closes, **columns):
    """The closes as Parquet, with some columns of another type."""
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
    """A file for each kind, with a series or several of its own; write(path, rows, kind) makes it."""
    folder.mkdir()
    shares = np.array_split(sorted(set(closes["unique_id"])), len(kinds))
    for number, (kind, names) in enumerate(zip(kinds, shares, strict=True)):
        write(folder / f"{number:02}.parquet", closes[closes["unique_id"].isin(names)], kind)
    return folder


def test_days_in_parquet_may_be_of_any_type_that_holds_days(gives, many, tmp_path):
    def write(path, rows, kind):
        parquet(path, rows, ds=DAY_TYPES[kind])

    gives(each_in_a_file(tmp_path / "p", many, DAY_TYPES, write), expected=oracle.forecasts(many, DAY))


ID_TYPES = {
    "string": lambda column: column,
    "large string": lambda column: column.cast(pa.large_string()),
    "dictionary": lambda column: column.dictionary_encode(),
    "dictionary of int8": lambda column: pa.DictionaryArray.from_arrays(
        pa.array(pd.factorize(column.to_pandas())[0], pa.int8()), pa.array(sorted(set(column.to_pylist())))
    ),
}


def test_ids_in_parquet_may_be_any_text(gives, closes, expected, tmp_path):
    def write(path, rows, kind):
        parquet(path, rows, unique_id=ID_TYPES[kind])

    gives(each_in_a_file(tmp_path / "p", closes, ID_TYPES, write), expected=expected)


def test_ids_in_parquet_may_be_whole_numbers(gives, closes, tmp_path):
    kinds = ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"]
    numbers = closes["unique_id"].str[1:].astype(int)

    def write(path, rows, kind):
        rows.assign(unique_id=numbers.astype(kind)).to_parquet(path, index=False)

    folder = each_in_a_file(tmp_path / "p", closes, kinds, write)
    gives(folder, expected=oracle.forecasts(closes.assign(unique_id=numbers.astype(str)), DAY))


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
    gives(folder, expected=oracle.forecasts(pd.concat(read), DAY))


def as_number(column, kind):
    if pa.types.is_decimal(kind):
        return pa.array([f"{price:.2f}" for price in column.to_pylist()]).cast(kind)
    return column.cast(kind)


def test_parquet_may_be_compressed_in_any_way(gives, closes, expected, tmp_path):
    def write(path, rows, kind):
        rows.to_parquet(path, index=False, compression=kind)

    kinds = ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]
    gives(each_in_a_file(tmp_path / "p", closes, kinds, write), expected=expected)


def test_parquet_of_many_row_groups_and_in_any_order(gives, closes, tmp_path):
    closes.sample(frac=1, random_state=1).to_parquet(tmp_path / "p.parquet", index=False, row_group_size=50)
    gives(tmp_path / "p.parquet")


def test_other_columns_are_left_alone_whatever_they_are_called(gives, closes, tmp_path):
    names = ("filename", "file", "width", "raw_id", "raw_ds", "raw_y", "holiday", "fault", "hash", "line", "volume")
    closes.assign(**dict.fromkeys(names, "x"), nested=[{"y": [1]}] * len(closes)).to_parquet(tmp_path / "p.parquet")
    closes.assign(**dict.fromkeys(names, "x")).to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.parquet")
    gives(tmp_path / "p.csv")


@pytest.mark.parametrize("header", ["unique_id,ds,y", "UNIQUE_ID,Ds,Y", " unique_id , ds,y ", '"unique_id","ds","y"'])
def test_a_header_may_be_in_capitals_spaced_or_quoted(gives, closes, tmp_path, header):
    (tmp_path / "p.csv").write_text(f"{header}\n{to_csv(closes, header=False)}")
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
    without = oracle.forecasts(rows[rows["ds"] != "2026-10-12"], DAY)
    gives(tmp_path / "S0003.csv", expected=without)


def test_a_day_of_yahoo_s_with_prices_but_no_close_is_a_bad_price(closes, tmp_path):
    lines = yahoo(closes[closes["unique_id"] == "S0003"]).to_csv(index=False).splitlines()
    cells = lines[-1].split(",")
    lines[-1] = ",".join([*cells[:5], "null", cells[6]])
    (tmp_path / "S0003.csv").write_text("\n".join(lines))
    assert run(tmp_path / "S0003.csv", tmp_path / "out").reasons == {
        "S0003": ("bad price", "y 'null' on 2026-11-19 in S0003.csv is no price between 1e-9 and 1e12")
    }


def test_one_file_a_day_with_every_ticker_in_any_order(gives, closes, tmp_path):
    folder = tmp_path / "days"
    folder.mkdir()
    for day, rows in closes.groupby("ds"):
        rows.sample(frac=1, random_state=day.day).to_csv(folder / f"{day:%Y%m%d}.csv", index=False)
    gives(folder)


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
    gives(tmp_path, expected=oracle.forecasts(numbered.assign(unique_id=numbered["unique_id"].astype(str)), DAY))


def test_every_cell_quoted(gives, closes, tmp_path):
    (tmp_path / "p.csv").write_text(to_csv(closes, quoting=csv.QUOTE_ALL))
    gives(tmp_path / "p.csv")


NAMES = [
    "A, Inc.", 'The "A"', '"', '""', ",", "a b", "naïve", "𝔸", "日本", "🙂", "e\u0301", "\u00e9", "'", "\\", "null",
    "NaN", "007", "7", "1e5", "-1", "a", "A", "../..", "/etc/passwd", "s3://a/b", "{}", "$x", "?", "*", "%41", "\u00a0",
    "\u200b", "\u2028", "\ufeffA", "x" * 10_000,
]  # fmt: skip


def test_a_name_comes_out_as_it_went_in(gives, tmp_path):
    every = pd.concat([one(name, np.linspace(2, 3 + number, 60)) for number, name in enumerate(NAMES)])
    expected = oracle.forecasts(every, DAY)
    assert expected["unique_id"].nunique() == len(NAMES)
    every.to_csv(tmp_path / "p.csv", index=False)
    every.to_parquet(tmp_path / "p.parquet", index=False)
    gives(tmp_path / "p.csv", expected=expected)
    gives(tmp_path / "p.parquet", expected=expected)


def test_a_byte_order_mark(gives, closes, tmp_path):
    (tmp_path / "p.csv").write_bytes(codecs.BOM_UTF8 + to_csv(closes).encode())
    gives(tmp_path / "p.csv")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(gives, closes, tmp_path, end):
    (tmp_path / "p.csv").write_bytes(to_csv(closes).replace("\n", end).encode())
    gives(tmp_path / "p.csv")


def test_the_last_line_needs_no_end(gives, closes, tmp_path):
    (tmp_path / "p.csv").write_text(to_csv(closes).rstrip("\n"))
    gives(tmp_path / "p.csv")


@pytest.mark.parametrize("blank", ["", "   ", "\t"])
def test_blank_lines_are_no_rows(gives, closes, tmp_path, blank):
    header, *lines = to_csv(closes).splitlines()
    lines = [line for row in lines for line in (row, blank)]
    (tmp_path / "p.csv").write_text("\n".join([header, blank, *lines, blank, ""]))
    gives(tmp_path / "p.csv")


def test_spaces_around_cells_are_no_part_of_them(gives, closes, tmp_path):
    (tmp_path / "p.csv").write_text(to_csv(closes).replace(",", " ,\t"))
    gives(tmp_path / "p.csv")
    spaced = closes.assign(unique_id=" " + closes["unique_id"] + "\t")
    spaced.to_parquet(tmp_path / "p.parquet", index=False)
    gives(tmp_path / "p.parquet")


@pytest.mark.parametrize("written", ["{:e}", "{:+.2f}", "{:.10f}", "{:E}", "0{:.2f}"])
def test_prices_may_be_written_as_numbers_are(gives, closes, tmp_path, written):
    text = closes.assign(y=closes["y"].map(lambda price: written.format(price)))
    expected = oracle.forecasts(closes.assign(y=text["y"].astype(float)), DAY)
    text.to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.csv", expected=expected)


def test_prices_are_read_to_the_last_digit(gives, tmp_path):
    exact = table(5, seed=9)  # of seventeen digits
    exact.to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.csv", expected=oracle.forecasts(exact, DAY))


def test_the_same_file_named_twice_counts_once(gives, closes, tmp_path):
    closes.to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.csv", tmp_path / "p.csv")


def test_two_files_of_one_name_are_both_read(gives, closes, tmp_path):
    half = closes["unique_id"] < "S0006"
    for name, rows in (("a", closes[half]), ("b", closes[~half])):
        (tmp_path / name).mkdir()
        rows.to_csv(tmp_path / name / "prices.csv", index=False)
    ran = gives(tmp_path / "a", tmp_path / "b")
    assert [file.name for file in ran.plan.inputs] == ["prices.csv", "prices.csv"]


def test_files_without_a_row_do_no_harm_beside_others(gives, closes, tmp_path):
    closes.to_parquet(tmp_path / "a.parquet", index=False)
    pq.ParquetWriter(tmp_path / "b.parquet", pq.read_schema(tmp_path / "a.parquet")).close()  # no row group
    (tmp_path / "c.csv").write_text("unique_id,ds,y\n")
    gives(tmp_path)


def test_files_of_other_endings_in_the_folder_are_left_alone(gives, closes, tmp_path):
    folder = tmp_path / "prices"
    (folder / "deeper.csv").mkdir(parents=True)
    closes.to_csv(folder / "a.csv", index=False)
    for name in ("notes.txt", ".hidden.csv", "a.csv.bak", "parquet"):
        (folder / name).write_text("no prices")
    (folder / "deeper.csv").rmdir()
    gives(folder)


def test_the_plan_lists_what_was_read(closes, tmp_path):
    closes.to_csv(tmp_path / "b.csv", index=False)
    closes.to_parquet(tmp_path / "a.parquet", index=False)
    ran = run([tmp_path / "b.csv", tmp_path / "a.parquet"], tmp_path / "out")
    contents = {name: (tmp_path / name).read_bytes() for name in ("a.parquet", "b.csv")}
    assert [(file.name, file.sha256, file.bytes) for file in ran.plan.inputs] == [
        (name, hashlib.sha256(content).hexdigest(), len(content)) for name, content in contents.items()
    ]
    assert (ran.plan.rows, ran.plan.series) == (2 * len(closes), 12)
