"""One question to Yahoo, through the real yfinance: only the HTTP beneath it is made up, so no network is used."""

import datetime
import json
import warnings
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from export.data.yahoo.download import NoPrices, TickerFailed, TryLater, download
from export.errors import InputError

pytest.importorskip("yfinance", reason="needs the extra efemera[yahoo]")

SAO_PAULO, AUCKLAND = "America/Sao_Paulo", "Pacific/Auckland"
DAYS = [datetime.date(2024, 3, day) for day in (4, 5, 6, 7, 8)]
WEEK = (DAYS[0], DAYS[-1])
LONG_AGO = datetime.datetime(2025, 1, 2, 18, tzinfo=datetime.UTC)


class Reply:
    """A response of an HTTP client."""

    def __init__(self, status, body, url=""):
        self.status_code, self.text, self.url = status, body if isinstance(body, str) else json.dumps(body), url
        self.content = self.text.encode()

    def json(self):
        return json.loads(self.text)

    def raise_for_status(self):
        from curl_cffi.requests.exceptions import HTTPError

        if self.status_code >= 400:
            raise HTTPError(f"HTTP Error {self.status_code}", 0, self)


def chart(days, closes, *, adjusted=None, zone=SAO_PAULO, session_end=LONG_AGO, hour=10):
    """Yahoo's answer to /v8/finance/chart, with the fields that yfinance reads."""
    moments = [int(datetime.datetime.combine(day, datetime.time(hour), ZoneInfo(zone)).timestamp()) for day in days]
    end = int(session_end.timestamp())
    period = {"timezone": "X", "gmtoffset": 0, "start": end - 7 * 3600, "end": end}
    quote = dict.fromkeys(("open", "high", "low", "close"), closes)
    volume = [None if close is None else 1000 + at for at, close in enumerate(closes)]
    meta = {
        "currency": "BRL",
        "instrumentType": "EQUITY",
        "exchangeTimezoneName": zone,
        "validRanges": ["1d", "max"],
        "currentTradingPeriod": {"pre": dict(period), "regular": dict(period), "post": dict(period)},
    }
    indicators = {"quote": [{**quote, "volume": volume}], "adjclose": [{"adjclose": adjusted or closes}]}
    return {"chart": {"result": [{"meta": meta, "timestamp": moments, "indicators": indicators}], "error": None}}


def refusal(description):
    return {"chart": {"result": None, "error": {"code": "Not Found", "description": description}}}


@pytest.fixture
def yahoo(monkeypatch):
    """Yahoo: give it the answer to the question for prices; it keeps the parameters of each question asked."""
    import yfinance.data
    from curl_cffi.requests import Session

    # No file of cookies or time zones, and no answer kept from another test.
    monkeypatch.setattr("yfinance.cache.get_tz_cache", yfinance.cache._TzCacheDummy)
    monkeypatch.setattr("yfinance.cache.get_cookie_cache", yfinance.cache._CookieCacheDummy)
    monkeypatch.setattr("yfinance.data.SingletonMeta._instances", {})

    class Yahoo:
        answer = Reply(200, chart(DAYS, [10.0, 11.0, 12.0, 13.0, 14.0]))
        asked = ()

        def request(self, url, params):
            if isinstance(self.answer, Exception):
                raise self.answer
            if "/v8/finance/chart/" in url and "period1" in params:
                self.asked = (*self.asked, params)
            if "/v8/finance/chart/" in url or "quoteSummary" in url:
                return self.answer
            return Reply(200, "crumb", url)

    yahoo = Yahoo()
    monkeypatch.setattr(Session, "request", lambda _, url, params=None, **__: yahoo.request(url, params))
    return yahoo


def test_days_are_dates_and_closes_and_volumes_numbers(yahoo):
    history = download("PETR4.SA", *WEEK, adjusted=True)
    assert history.ds.dtype == "datetime64[D]"
    assert history.ds.tolist() == DAYS
    assert history.y.tolist() == [10, 11, 12, 13, 14]
    assert (history.y.dtype, history.volume.dtype) == (np.float64, np.int64)
    assert history.volume.tolist() == [1000, 1001, 1002, 1003, 1004]
    assert len(yahoo.asked) == 1


@pytest.mark.parametrize("adjusted", [True, False])
def test_auto_adjust_is_said_both_ways_and_chooses_the_close(yahoo, monkeypatch, adjusted):
    import yfinance

    said, real = [], yfinance.Ticker.history

    def history(self, **named):
        said.append(named["auto_adjust"])
        warnings.warn("what yfinance warns of is none of the user's", FutureWarning, stacklevel=1)
        return real(self, **named)

    monkeypatch.setattr(yfinance.Ticker, "history", history)
    yahoo.answer = Reply(200, chart(DAYS, [10.0] * 5, adjusted=[9.0, 9.0, 9.0, 10.0, 10.0]))
    assert download("PETR4.SA", *WEEK, adjusted=adjusted).y[0] == (9 if adjusted else 10)
    assert said == [adjusted]


def test_a_null_close_is_no_row(yahoo):
    yahoo.answer = Reply(200, chart(DAYS, [10.0, None, 12.0, None, 14.0]))
    history = download("PETR4.SA", *WEEK, adjusted=True)
    assert history.ds.tolist() == [DAYS[0], DAYS[2], DAYS[4]]
    assert history.volume.tolist() == [1000, 1002, 1004]


def test_a_day_given_twice_counts_once_and_its_later_row_holds(yahoo):
    yahoo.answer = Reply(200, chart([*DAYS, DAYS[-1]], [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]))
    history = download("PETR4.SA", *WEEK, adjusted=True)
    assert history.ds.tolist() == DAYS
    assert history.y.tolist() == [10, 11, 12, 13, 15]


def test_days_are_those_of_the_exchange_not_of_utc(yahoo):
    yahoo.answer = Reply(200, chart(DAYS, [1.0] * 5, zone=AUCKLAND))  # 10:00 there is 21:00 of the day before in UTC
    assert download("FPH.NZ", *WEEK, adjusted=True).ds.tolist() == DAYS


@pytest.mark.parametrize(
    ("ended", "kept"),
    [
        (datetime.timedelta(hours=-1), False),  # the session goes on
        (datetime.timedelta(hours=1), False),  # its closing auction is not settled yet
        (datetime.timedelta(hours=3), True),
    ],
)
def test_a_session_that_has_not_ended_is_no_close(yahoo, ended, kept):
    end = datetime.datetime.now(ZoneInfo(SAO_PAULO)) - ended
    today = end.date()
    days = [today - datetime.timedelta(days=1), today]
    yahoo.answer = Reply(200, chart(days, [10.0, 11.0], session_end=end))
    found = download("PETR4.SA", days[0], today + datetime.timedelta(days=1), adjusted=True)
    assert found.ds.tolist() == (days if kept else days[:1])


def test_both_ends_are_included_and_nothing_beyond_them(yahoo):
    assert download("PETR4.SA", DAYS[1], DAYS[3], adjusted=True).ds.tolist() == DAYS[1:4]
    [asked] = yahoo.asked
    assert asked["period1"] <= datetime.datetime(2024, 3, 5, 3, tzinfo=datetime.UTC).timestamp()
    assert asked["period2"] > datetime.datetime(2024, 3, 8, 2, tzinfo=datetime.UTC).timestamp()


def test_a_midnight_that_summer_time_skipped_is_no_obstacle(yahoo):
    day = datetime.date(2018, 11, 5)
    yahoo.answer = Reply(200, chart([day], [10.0]))
    skipped = datetime.date(2018, 11, 4)  # in São Paulo that day began at 01:00
    assert download("PETR4.SA", skipped, day, adjusted=True).ds.tolist() == [day]


def test_too_many_requests_is_worth_another_attempt(yahoo):
    yahoo.answer = Reply(429, "Too Many Requests")
    with pytest.raises(TryLater, match=r"slow down \(429\)") as caught:
        download("PETR4.SA", *WEEK, adjusted=True)
    assert caught.value.attempts == 5


def test_a_ticker_that_yahoo_does_not_know_is_named(yahoo):
    yahoo.answer = Reply(404, refusal("No data found, symbol may be delisted"))
    with pytest.raises(NoPrices, match="PETR9.SA: Yahoo does not know this ticker"):
        download("PETR9.SA", *WEEK, adjusted=True)


def test_no_prices_in_the_days_asked_for_is_said_with_the_ticker(yahoo):
    empty = chart([], [])
    empty["chart"]["result"][0]["indicators"]["quote"] = [{}]
    yahoo.answer = Reply(200, empty)
    with pytest.raises(NoPrices, match="PETR4.SA: Yahoo has no prices"):
        download("PETR4.SA", *WEEK, adjusted=True)
    yahoo.answer = Reply(200, chart(DAYS, [1.0] * 5))
    with pytest.raises(NoPrices, match="PETR4.SA: Yahoo has no closes from 2023-01-02 to 2023-01-03"):
        download("PETR4.SA", datetime.date(2023, 1, 2), datetime.date(2023, 1, 3), adjusted=True)


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", {"chart": {"result": [{"meta": {}}], "error": None}}])
def test_an_answer_of_another_shape_is_one_line_about_the_ticker(yahoo, body):
    yahoo.answer = Reply(200, body)
    with pytest.raises(TickerFailed, match="PETR4.SA: Yahoo's answer cannot be read") as caught:
        download("PETR4.SA", *WEEK, adjusted=True)
    assert "\n" not in str(caught.value)


def test_an_absent_network_is_told_in_few_words_and_a_broken_connection_tried_again(yahoo, caplog):
    from curl_cffi.requests.exceptions import DNSError, Timeout

    tail = "See https://curl.se/libcurl/c/libcurl-errors.html first for more details."
    yahoo.answer = DNSError(f"Failed to perform, curl: (6) Could not resolve host: query2.example. {tail}", 6)
    with pytest.raises(InputError) as caught:
        download("PETR4.SA", *WEEK, adjusted=True)
    assert str(caught.value) == "Yahoo cannot be reached: Could not resolve host: query2.example"
    assert not isinstance(caught.value, TryLater | TickerFailed)
    yahoo.answer = Timeout(f"Failed to perform, curl: (28) Connection timed out after 10001 ms. {tail}", 28)
    with pytest.raises(TryLater, match="Connection timed out after 10001 ms$"):
        download("PETR4.SA", *WEEK, adjusted=True)
    assert not caplog.records  # yfinance would have lines of its own
