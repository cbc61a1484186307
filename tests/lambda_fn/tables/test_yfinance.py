"""The CSV of `yfinance.download(…).to_csv()`: three header rows, one or several tickers side by side."""

import pandas
import pytest

from lambda_fn.tables.price_files import open_price_files
from lambda_fn.tables.row_table import RowTable
from lambda_fn.tables.store import scratch
from tests.lambda_fn.tables.price_tables import read, read_in_batch, refusal, write

ONE = """Price,Close,High,Low,Open,Volume
Ticker,PETR4.SA,PETR4.SA,PETR4.SA,PETR4.SA,PETR4.SA
Date,,,,,
2024-01-02,37.5,38,37,37.2,1000
2024-01-03,38.25,39,38,38.1,0
"""


def notes(path):
    with scratch() as folder, RowTable(open_price_files([str(path)], folder)) as rows:
        return rows.notes()


def test_one_ticker_is_the_series_its_header_names(tmp_path):
    path = write(tmp_path / "any name.csv", ONE)
    assert read(path) == read_in_batch(path) == {"PETR4.SA": {"2024-01-02": 37.5, "2024-01-03": 38.25}}
    assert notes(path) == [f"{path}: the price is column 'Close'; there is no 'Adj Close', so splits may show as jumps"]


@pytest.mark.slow
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("group_by", ["column", "ticker"])
@pytest.mark.parametrize("adjusted", [True, False])
def test_several_tickers_are_as_many_series(tmp_path, group_by, adjusted, newline):
    """Made by pandas as yfinance makes it; a ticker that did not trade on a day has no cells that day."""
    names = ["Close", "High", "Low", "Open", "Volume"] + ["Adj Close"] * adjusted
    pairs = [(name, ticker) for name in names for ticker in ("PETR4.SA", "BTC-USD")]
    if group_by == "ticker":
        pairs = [(ticker, name) for name, ticker in pairs]
    levels = ["Price", "Ticker"] if group_by == "column" else ["Ticker", "Price"]
    days = pandas.DatetimeIndex(["2024-01-05", "2024-01-06"], name="Date")
    table = pandas.DataFrame(1.0, index=days, columns=pandas.MultiIndex.from_tuples(pairs, names=levels))
    for column in pairs:
        place = names.index(column[0] if group_by == "column" else column[1])
        table[column] = [10.0 + place, None if "PETR4.SA" in column else 20.0 + place]
    path = tmp_path / "two.csv"
    table.to_csv(path, lineterminator=newline)
    close = 5 if adjusted else 0
    expected = {
        "BTC-USD": {"2024-01-05": 10.0 + close, "2024-01-06": 20.0 + close},
        "PETR4.SA": {"2024-01-05": 10.0 + close},
    }
    assert read(path) == read_in_batch(path) == expected
    assert notes(path).count(f"{path}: null rows of holidays, dropped: 1") == 1
    if adjusted:
        assert read(path, column="Close")["PETR4.SA"] == {"2024-01-05": 10.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ONE.replace("37.5", "x"), " line 4: Close is 'x', not a price"),
        (ONE.replace("2024-01-03", "2024-13-03"), " line 5: Date is '2024-13-03', not a calendar date"),
        (ONE.replace(",38.1,0", ",38.1"), " line 5: 5 fields where the header has 6"),
        (ONE.replace("Close", "Cloze"), " line 1: PETR4.SA has no 'Close'"),
        (ONE.replace("Ticker,PETR4.SA", "Ticker", 1), " line 2: 5 fields where line 1 has 6"),
        ("\n".join(ONE.splitlines()[:3]) + "\n", ": no rows of prices"),
        (ONE.replace("Date,", "Data,"), ": the columns are 'Price', 'Close'"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, content, message):
    path = write(tmp_path / "prices.csv", content)
    assert refusal(path).startswith(f"{path}{message}")
