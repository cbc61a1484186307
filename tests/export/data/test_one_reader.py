"""The same tables give the same closes through `read_prices` and through the plan of a batch run."""

import datetime
import gzip

import duckdb
import pytest

from export.data.prices import read_prices
from lambda_fn.batch import plan
from lambda_fn.batch.records import Settings
from tests.export.data.price_tables import as_table
from tests.lambda_fn.tables.price_tables import write, write_parquet

A, B = {"2026-11-18": 10.0, "2026-11-19": 10.5}, {"2026-11-19": 0.25}
LONG = "A,2026-11-18,10\nB,2026-11-19,0.25\nA,2026-11-19,10.5\n"
YAHOO = "Date,Open,High,Low,Close,Adj Close,Volume\n2026-11-18,9,9,9,20,10,7\n2026-11-19,9,9,9,21,10.5,0\n"
LAYOUTS = {
    "long.csv": ("unique_id,ds,y\n" + LONG, {"A": A, "B": B}),
    "bom.csv": ("\ufeff Unique_ID , DS,Y\r\n\r\n" + LONG.replace(",", " ,\t").replace("\n", "\r\n"), {"A": A, "B": B}),
    "zoned.csv": ("unique_id,ds,y\n" + LONG.replace("-18,", "-18 00:00:00-03:00,"), {"A": A, "B": B}),
    "ticker.csv": ("Ticker,Date,Close,Note\n" + LONG.replace("\n", ',"x, y"\n'), {"A": A, "B": B}),
    "adjusted.csv": ("ticker,date,adj close,close\n" + LONG.replace("\n", ",1\n"), {"A": A, "B": B}),
    "PETR4.SA.yahoo.csv": (YAHOO + "2026-11-17,null,null,null,null,null,null\n", {"PETR4.SA": A}),
    "^BVSP.csv.gz": (gzip.compress(YAHOO.encode()), {"^BVSP": A}),
    "yfinance one.csv": (
        "Price,Close,High,Low,Open,Volume\nTicker,A,A,A,A,A\nDate,,,,,\n2026-11-18,10,1,1,1,7\n2026-11-19,10.5,1,1,1,7\n",
        {"A": A},
    ),
    "yfinance two.csv": (
        "Ticker,B,B,B,B,B,B,A,A\nPrice,Open,High,Low,Close,Adj Close,Volume,Adj Close,Close\nDate,,,,,,,,\n"
        "2026-11-18,,,,,,,10,20\n2026-11-19,1,1,1,1,0.25,7,10.5,20\n",
        {"A": A, "B": B},
    ),
    "zone.parquet": (
        "SELECT unique_id, CAST(ds || ' 00:00Z' AS TIMESTAMPTZ) AS ds, y FROM (VALUES ('A', '2026-11-18', 10), "
        "('A', '2026-11-19', 10.5), ('B', '2026-11-19', 0.25)) AS t(unique_id, ds, y)",
        {"A": A, "B": B},
    ),
    "AAPL.parquet": (
        "SELECT ds AS Date, 1 AS Open, 1 AS High, 1 AS Low, y AS Close FROM (VALUES (DATE '2026-11-18', 10), "
        "(DATE '2026-11-19', 10.5)) AS t(ds, y)",
        {"AAPL": A},
    ),
}  # fmt: skip


def planned(path, folder):
    """The closes that a plan hands its workers."""
    settings = Settings(prices=str(path), out=str(folder), as_of=datetime.date(2026, 11, 19))
    place = plan.plan(settings).place
    shards = f"{folder}/work/{place.as_of}/{place.run}/shards/*.parquet"
    rows = duckdb.execute(f"SELECT unique_id, days, closes, fault FROM '{shards}'").fetchall()
    assert [fault for *_, fault in rows if fault] == []
    return {
        unique_id: {str(day): close for day, close in zip(days, closes, strict=True)}
        for unique_id, days, closes, _ in rows
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_closes_to_a_command_and_to_a_batch(tmp_path, name):
    content, expected = LAYOUTS[name]
    path = (write_parquet if name.endswith(".parquet") else write)(tmp_path / name, content)
    assert as_table(read_prices([path], minimum=1)) == expected
    assert planned(path, tmp_path / "out") == expected
