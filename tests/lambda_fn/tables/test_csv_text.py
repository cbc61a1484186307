"""CSV as different programs write it: quotes, spaces, ends of lines, numbers and names of every kind."""

import codecs
import csv

import numpy as np
import pandas as pd
import pytest

from tests.lambda_fn.batch.market import one, table


def to_csv(closes, **more):
    return closes.to_csv(index=False, **more)


@pytest.mark.parametrize("header", ["unique_id,ds,y", "UNIQUE_ID,Ds,Y", " unique_id , ds,y ", '"unique_id","ds","y"'])
def test_a_header_may_be_in_capitals_spaced_or_quoted(gives, closes, tmp_path, header):
    (tmp_path / "p.csv").write_text(f"{header}\n{to_csv(closes, header=False)}")
    gives(tmp_path / "p.csv")


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
    every.to_csv(tmp_path / "p.csv", index=False)
    every.to_parquet(tmp_path / "p.parquet", index=False)
    gives(tmp_path / "p.csv", expected=every)
    gives(tmp_path / "p.parquet", expected=every)


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
    text.to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.csv", expected=closes.assign(y=text["y"].astype(float)))


def test_prices_are_read_to_the_last_digit(gives, tmp_path):
    exact = table(5, seed=9)  # of seventeen digits
    exact.to_csv(tmp_path / "p.csv", index=False)
    gives(tmp_path / "p.csv", expected=exact)
