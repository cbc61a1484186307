"""CSV as different programs write it: quotes, spaces, ends of lines, numbers and names of every kind."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.lambda_fn.batch.market import one, table
from tests.lambda_fn.tables.price_tables import GOOD, HEADER, read, read_in_batch, write


def to_csv(closes, **more):
    return closes.to_csv(index=False, **more)


@pytest.mark.parametrize("header", ["unique_id,ds,y", "UNIQUE_ID,Ds,Y", " unique_id , ds,y ", '"unique_id","ds","y"'])
def test_a_header_may_be_in_capitals_spaced_or_quoted(gives, closes, tmp_path, header):
    (tmp_path / "p.csv").write_text(f"{header}\n{to_csv(closes, header=False)}")
    gives(tmp_path / "p.csv")


NAMES = [
    "A, Inc.", 'The "A"', '"', '""', ",", "a b", "naïve", "𝔸", "日本", "🙂", "e\u0301", "\u00e9", "'", "\\", "null",
    "NaN", "007", "7", "1e5", "-1", "a", "A", "../..", "/etc/passwd", "s3://a/b", "{}", "$x", "?", "*", "%41", "\u00a0",
    "\u200b", "\u2028", "\ufeffA", "x" * 10_000,
]  # fmt: skip


def test_a_name_comes_out_as_it_went_in(gives, tmp_path):
    every = pd.concat([one(name, np.linspace(2, 3 + number, 60)) for number, name in enumerate(NAMES)])
    every.to_csv(tmp_path / "p.csv", index=False)
    every.to_parquet(tmp_path / "p.parquet", index=False)
    gives(tmp_path / "p.csv", expected=every)
    gives(tmp_path / "p.parquet", expected=every)


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
    text.to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.csv", expected=closes.assign(y=text["y"].astype(float)))


def test_prices_are_read_to_the_last_digit(gives, tmp_path):
    exact = table(5, seed=9)  # of seventeen digits
    exact.to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.csv", expected=exact)


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.rstrip(),
        GOOD.replace("\n", "\n\n") + "  \n\n",
        GOOD.replace("10\n", "10\r\n"),
        '"unique_id","ds","y"\n"A","2024-01-02","10"\n"A","2024-01-03",10.5\n',
        " Unique_ID , DS , Y \n A , 2024-01-02 , 1e1 \nA,\t2024-01-03,+10.50\n",
        "y,extra,ds,unique_id\n10,x,2024-01-02,A\n10.5,,2024-01-03,A\n",
        HEADER + "A,2024-01-03,10.5\nA,2024-01-02,10\n",
        HEADER + "A,2024-01-02 00:00:00,10\nA,2024-01-03T00:00:00.000Z,10.5\n",
        HEADER + "A,2024-01-02 00:00:00-05:00,10\nA,2024-01-03 00:00,10.5\n",
        "Ticker,DATE,Close,volume\nA,2024-01-02,10,\nA,2024-01-03,10.5,7\n",
        "ticker,date,close,adj close\nA,2024-01-02,20,10\nA,2024-01-03,21,10.5\n",
    ],
)
@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_every_way_to_write_the_same_csv_reads_as_the_same_prices(tmp_path, name, content):
    path = write(tmp_path / name, content)
    assert read(path) == read_in_batch(path) == {"A": {"2024-01-02": 10.0, "2024-01-03": 10.5}}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["it's.csv", "a*.csv", "what?.csv", "[ab].csv", "{a,b}.csv", "~", "x=1", "y=5", "é ç.csv", "a\nb.csv"]
)
def test_a_file_name_is_taken_literally(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(Path("a.csv"), GOOD.replace("A,", "WRONG,"))
    write(Path("ab.csv"), GOOD.replace("A,", "WRONG,"))
    path = Path(name)
    if not path.suffix:  # a folder that looks like a home folder or a Hive partition
        path.mkdir()
        path = path / "t.csv"
    assert read(write(path, GOOD)) == read_in_batch(path) == {"A": {"2024-01-02": 10.0, "2024-01-03": 10.5}}
