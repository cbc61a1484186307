"""`efemera data yahoo`: what it asks Yahoo, what it writes, and one line for whatever goes wrong.

Our one question to Yahoo, `yahoo.download`, is replaced; test_yahoo_download.py is about that question.
"""

import datetime
import sys

import numpy as np
import pytest

from export.data.prices import read_prices
from export.data.yahoo.download import TryLater
from export.data.yahoo.update import EARLIEST
from tests.export.data.yahoo.yahoo_stand_in import closes_at


def test_the_first_fetch_writes_every_close_of_every_ticker(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.parquet"
    code, stdout, stderr = data_yahoo("aaa", "BBB", "AAA", "--out", out)
    assert code == 0, stderr
    days, closes = closes_at(out, "AAA")
    assert days.tolist() == yahoo.days[:500].tolist()
    assert closes.tolist() == yahoo.closes["AAA"][:500].tolist()
    assert [(ticker, start, adjusted) for ticker, start, _, adjusted in yahoo.asked] == [
        ("AAA", str(EARLIEST), True),
        ("BBB", str(EARLIEST), True),
    ]
    assert [line.split()[:4] for line in stdout.splitlines() if "fetched" in line] == [
        ["AAA", "fetched", "500", "new"],
        ["BBB", "fetched", "500", "new"],
    ]
    assert stderr == f"wrote {out}: 2 series, 1,000 closes\n"


def test_both_days_of_a_range_are_included(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.csv"
    assert data_yahoo("AAA", "-o", out, "--start", "2020-01-07", "--end", "2020-01-10", "--raw")[0] == 0
    assert yahoo.asked == [("AAA", "2020-01-07", "2020-01-10", False)]
    assert out.read_text().splitlines()[1].startswith("AAA,2020-01-07,")
    assert out.read_text().splitlines()[-1].startswith("AAA,2020-01-10,")


def test_too_many_requests_are_waited_out_and_each_pause_is_told(data_yahoo, yahoo, pauses, tmp_path):
    out = tmp_path / "prices.csv"
    yahoo.troubles = [TryLater("Yahoo asks to slow down (429)", attempts=5) for _ in range(4)]
    code, _, stderr = data_yahoo("AAA", "-o", out)
    assert (code, len(yahoo.asked), len(pauses)) == (0, 5, 4)
    assert all(low <= pause <= low + 2 for low, pause in zip((2, 6, 18, 54), pauses, strict=True))
    first = stderr.splitlines()[0]
    assert first == f"Yahoo asks to slow down (429); waiting {pauses[0]:.0f} s, then attempt 2 of 5"
    assert out.exists()


@pytest.mark.parametrize("flags", [[], ["--skip-bad"]])
@pytest.mark.parametrize(("reason", "attempts"), [("Yahoo asks to slow down (429)", 5), ("cannot be reached", 2)])
def test_attempts_are_bounded_and_then_nothing_is_written(data_yahoo, yahoo, pauses, tmp_path, flags, reason, attempts):
    yahoo.troubles = [TryLater(reason, attempts) for _ in range(9)]
    code, stdout, stderr = data_yahoo("AAA", "BBB", "-o", tmp_path / "new" / "prices.csv", *flags)
    assert (code, stdout, len(yahoo.asked), len(pauses)) == (2, "", attempts, attempts - 1)
    last = stderr.splitlines()[-1]
    assert last == f"efemera: {reason}; gave up after {attempts} attempts, try again later"
    assert not list(tmp_path.iterdir())


def test_an_unknown_ticker_stops_the_command_and_nothing_is_written(data_yahoo, yahoo, pauses, tmp_path):
    code, stdout, stderr = data_yahoo("AAA", "ZZZ", "-o", tmp_path / "prices.csv")
    assert (code, stdout, pauses) == (2, "", [])
    assert stderr == "efemera: ZZZ: Yahoo does not know this ticker\n"
    assert not list(tmp_path.iterdir())
    assert len(yahoo.asked) == 2


def test_skip_bad_goes_on_with_the_others_and_says_so(data_yahoo, yahoo, tmp_path):
    out = tmp_path / "prices.csv"
    code, stdout, stderr = data_yahoo("ZZZ", "AAA", "-o", out, "--skip-bad")
    assert code == 0
    assert "skipped, ZZZ: Yahoo does not know this ticker" in stderr
    assert stdout.splitlines()[0] == "ZZZ  skipped    0 new of 0 closes"
    assert read_prices([out], minimum=1).ids == ("AAA",)
    assert len(yahoo.asked) == 2
    code, _, stderr = data_yahoo("ZZZ", "YYY", "-o", out, "--skip-bad")
    assert code == 2
    assert stderr == "efemera: every ticker was skipped; the first: ZZZ: Yahoo does not know this ticker\n"
    assert read_prices([out], minimum=1).ids == ("AAA",)


@pytest.mark.parametrize("close", [0, -1.5, np.inf, 1e13])
def test_a_close_that_is_no_price_is_named_with_ticker_and_day(data_yahoo, yahoo, tmp_path, close):
    yahoo.closes["AAA"][123] = close
    code, _, stderr = data_yahoo("AAA", "-o", tmp_path / "prices.csv")
    assert code == 2
    assert f"AAA: Yahoo's close of {yahoo.days[123]} is {close:g}, not a price between 1e-9 and 1e12" in stderr
    assert not list(tmp_path.iterdir())


def test_a_split_that_yahoo_left_in_is_pointed_out(data_yahoo, yahoo, tmp_path):
    yahoo.closes["AAA"][:200] *= 10
    _, _, stderr = data_yahoo("AAA", "-o", tmp_path / "prices.csv")
    assert f"warning: AAA on {yahoo.days[200]}" in stderr


def test_of_many_tickers_the_summary_tells_how_many(data_yahoo, yahoo, tmp_path):
    yahoo.closes = {f"T{number}": yahoo.closes["AAA"] for number in range(24)}
    _, stdout, _ = data_yahoo(*yahoo.closes, "T99", "-o", tmp_path / "prices.csv", "--skip-bad")
    assert stdout == "24 fetched, 1 skipped\n"


@pytest.mark.parametrize("package", ["yfinance", "tenacity"])
def test_without_the_extra_one_line_says_what_to_install(data_yahoo, monkeypatch, tmp_path, package):
    monkeypatch.setitem(sys.modules, package, None)
    code, _, stderr = data_yahoo("AAA", "BBB", "-o", tmp_path / "prices.csv", "--skip-bad")
    assert code == 2
    needs = f"efemera data yahoo needs {package}: pip install '.[yahoo]' in Efemera's folder installs it"
    assert stderr == f"efemera: {needs}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["AAA", "--start", "2024-02-30"], "--start: '2024-02-30' is not a calendar date (YYYY-MM-DD)"),
        (["AAA", "--end", "20240105"], "--end: '20240105' is not a calendar date (YYYY-MM-DD)"),
        (["AAA", "--start", "2024-02-03", "--end", "2024-02-02"], "--start 2024-02-03 is after --end 2024-02-02"),
        (["AAA", "--start", str(datetime.date.today() + datetime.timedelta(days=1))], "is in the future"),
        (["AAA,BBB"], "'AAA,BBB' is not a ticker of Yahoo's, such as PETR4.SA; put a space between two"),
        ([""], "'' is not a ticker"),
        (["../AAA"], "'../AAA' is not a ticker"),
    ],
)
def test_a_wrong_value_is_one_line_before_anything_is_asked(data_yahoo, yahoo, tmp_path, arguments, words):
    code, stdout, stderr = data_yahoo(*arguments, "-o", tmp_path / "prices.csv")
    assert (code, stdout, yahoo.asked) == (2, "", [])
    assert words in stderr
    assert stderr.strip().splitlines() == [stderr.strip()]
    assert data_yahoo("AAA", "-o", tmp_path / "prices.txt")[0] == 2
    assert not list(tmp_path.iterdir())


def test_ctrl_c_writes_nothing(data_yahoo, yahoo, tmp_path):
    yahoo.troubles = [KeyboardInterrupt()]
    code, _, stderr = data_yahoo("AAA", "-o", tmp_path / "prices.csv")
    assert code == 130
    assert "interrupted; nothing was written" in stderr
    assert not list(tmp_path.iterdir())


def test_the_help_holds_examples(data_yahoo):
    code, stdout, _ = data_yahoo("--help")
    assert code == 0
    assert "Example: efemera data yahoo PETR4.SA VALE3.SA" in stdout
