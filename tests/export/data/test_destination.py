"""Tables written: here or on S3, whole or not at all."""

import os
import stat

import duckdb
import numpy as np
import pytest

from export.data.destination import check_destination, write_prices, write_table
from export.data.prices import read_prices
from export.errors import InputError


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".csv.gz", ".CSV"])
def test_what_is_written_is_what_is_read(tmp_path, prices, ending):
    path = tmp_path / "new" / f"prices{ending}"
    write_prices(prices, str(path))
    assert read_prices([path], minimum=1).digest() == prices.digest()
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_rows_are_in_order_and_the_columns_are_the_three(tmp_path, prices):
    path = tmp_path / "prices.csv"
    write_prices(prices, str(path))
    header, *rows = path.read_text().splitlines()
    assert header == "unique_id,ds,y"
    assert rows == sorted(rows)
    assert len(rows) == len(prices)


def test_volume_is_a_fourth_column(tmp_path, prices):
    path = tmp_path / "prices.parquet"
    write_prices(prices, str(path), np.arange(len(prices)))
    described = duckdb.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        ("unique_id", "VARCHAR"),
        ("ds", "DATE"),
        ("y", "DOUBLE"),
        ("volume", "BIGINT"),
    ]
    assert duckdb.execute(f"SELECT volume FROM '{path}'").fetchnumpy()["volume"].tolist() == list(range(len(prices)))


def test_a_file_is_readable_by_others_as_any_file_is(tmp_path, prices):
    path = tmp_path / "prices.csv"
    write_prices(prices, str(path))
    (tmp_path / "any").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "any").stat().st_mode)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("prices.xlsx", "must end in .parquet, .csv.gz or .csv"),
        ("folder.csv", "is a folder"),
        (".csv", "names no file"),
        ("n" * 300 + ".csv", "File name too long"),
        ("file/prices.csv", "can't be written"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path, out, message):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=message):
        check_destination(str(tmp_path / out))


def test_no_permission_is_said_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(InputError, match=f"can't be written \\(no permission in {tmp_path}\\)"):
        check_destination(str(tmp_path / "prices.csv"))


def test_a_full_disk_leaves_the_old_table_and_nothing_else(tmp_path, prices, monkeypatch):
    path = tmp_path / "prices.csv"
    path.write_text("the old one")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError) as caught:
        write_prices(prices, str(path))
    assert str(caught.value) == f"--out {path}: can't be written (No space left on device)"
    assert path.read_text() == "the old one"
    assert os.listdir(tmp_path) == ["prices.csv"]


def test_a_link_is_followed(tmp_path, prices):
    path, link = tmp_path / "real.csv", tmp_path / "link.csv"
    path.touch()
    link.symlink_to(path)
    write_prices(prices, str(link))
    assert link.is_symlink()
    assert path.read_text().startswith("unique_id,ds,y\n")


@pytest.mark.parametrize("out", ["s3://market", "s3://market/", "s3://Bad_B/x.csv", "s3://market.csv"])
def test_an_address_that_is_none_is_refused_before_any_work(out):
    with pytest.raises(InputError):
        check_destination(out)


def test_text_columns_and_an_empty_table(tmp_path):
    path = tmp_path / "table.csv"
    words = np.array(["a,b", 'say "x"', "é"], dtype=object)
    write_table({"kind": np.array([1, 0, 1]), "words": words}, str(path), labels={"kind": ["one", "two"]})
    assert path.read_text() == 'kind,words\ntwo,"a,b"\none,"say ""x"""\ntwo,é\n'
    write_table({"n": np.empty(0, np.int64)}, str(path))
    assert path.read_text() == "n\n"
