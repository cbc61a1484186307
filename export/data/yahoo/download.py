"""Fetches the daily closes of one ticker from Yahoo: the only file that knows yfinance."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from time import sleep
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.errors import InputError
from lambda_fn.tables.price_rows import HIGHEST, LOWEST

if TYPE_CHECKING:
    from tenacity import RetryCallState

_DAY = datetime.timedelta(days=1)
# The session's end as Yahoo tells it leaves out the closing auction, which on B3 is settled 55 minutes later
# (yfinance #2806), and its prices come up to 30 minutes late.
_SETTLING = datetime.timedelta(hours=2)
_TRANSIENT = {"ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout", "IncompleteRead", "ChunkedEncodingError"}


@dataclasses.dataclass(frozen=True, eq=False)  # arrays have no single truth
class History:
    """The closes of one series, oldest first, no day twice."""

    ds: NDArray[np.datetime64]  # (rows,) datetime64[D], the exchange's local dates
    y: NDArray[np.float64]  # (rows,) closes in the currency of the exchange
    volume: NDArray[np.int64]  # (rows,) shares traded, 0 where unknown

    def __len__(self) -> int:
        return len(self.ds)

    def where(self, kept: NDArray[np.bool_]) -> History:
        """The rows that `kept` (rows,) marks."""
        return History(self.ds[kept], self.y[kept], self.volume[kept])


class TickerFailed(InputError):
    """Something is wrong with one ticker; the others can go on."""


class NoPrices(TickerFailed):
    """Yahoo does not know the ticker, or has no closes of it in the days asked for."""


class TryLater(InputError):
    """Yahoo may well answer the same question in a moment."""

    def __init__(self, message: str, attempts: int) -> None:
        super().__init__(message)
        self.attempts = attempts


def fetch(
    ticker: str, start: datetime.date, end: datetime.date, *, adjusted: bool, say: Callable[[str], None]
) -> History:
    """The closes from `start` to `end`, both included, asked for again after a pause where that can help.

    At most 5 attempts when Yahoo limits the rate and 2 when the connection breaks, after pauses of about
    2, 6, 18 and 54 s: a limit that lasts a minute is outlived. `say` hears of each pause.
    Raises `TickerFailed` for what is wrong with this ticker, which includes a close that is not a price,
    and another `InputError` where no ticker can be fetched.
    """
    with _extra():
        from tenacity import Retrying, retry_if_exception_type, wait_exponential_jitter

    def tell(state: RetryCallState) -> None:
        pause, reason = state.upcoming_sleep, _reason(state)
        say(f"{reason}; waiting {pause:.0f} s, then attempt {state.attempt_number + 1} of {reason.attempts}")

    retrying = Retrying(
        retry=retry_if_exception_type(TryLater),
        stop=lambda state: state.attempt_number >= _reason(state).attempts,
        wait=wait_exponential_jitter(multiplier=2, exp_base=3, max=60, jitter=2),
        before_sleep=tell,
        sleep=sleep,
        reraise=True,
    )
    try:
        history = retrying(download, ticker, start, end, adjusted=adjusted)
    except TryLater as error:
        raise InputError(f"{error}; gave up after {error.attempts} attempts, try again later") from None
    _check_closes(ticker, history)
    return history


def download(ticker: str, start: datetime.date, end: datetime.date, *, adjusted: bool) -> History:
    """One question to Yahoo: the closes from `start` to `end`, both included, of sessions that have ended.

    Adjusted for splits and, if `adjusted`, for dividends too: Yahoo has no closes without splits.
    Days without a close are left out. Raises `NoPrices`, `TickerFailed`, `TryLater` or another `InputError`.
    """
    # In UTC, and a day more at both ends: yfinance turns a date into the exchange's midnight and fails where
    # summer time skips that hour, as it did in São Paulo.
    since = datetime.datetime.combine(start - _DAY, datetime.time(), datetime.UTC)
    until = datetime.datetime.combine(end + 2 * _DAY, datetime.time(), datetime.UTC)
    with _quiet():
        with _extra():
            import yfinance
        yfinance.config.debug.hide_exceptions = False  # else an absent network looks like an unknown ticker
        try:
            quote = yfinance.Ticker(ticker)
            frame = quote.history(start=since, end=until, interval="1d", auto_adjust=adjusted, actions=False)
            history = History(
                frame.index.tz_localize(None).to_numpy().astype("datetime64[D]"),
                frame["Close"].to_numpy(np.float64),
                frame["Volume"].to_numpy(np.int64),
            )
            ended = history.ds < _first_unsettled_day(quote.history_metadata)
        except Exception as error:  # yfinance lets through whatever an unforeseen answer of Yahoo's leads to
            raise _explain(error, ticker, yfinance.exceptions) from error
    last_of_day = np.append(history.ds[1:] != history.ds[:-1], True)  # today's may come twice, the second one newer
    inside = (history.ds >= np.datetime64(start)) & (history.ds <= np.datetime64(end))
    history = history.where(inside & ended & last_of_day & ~np.isnan(history.y))
    if not len(history):
        raise NoPrices(f"{ticker}: Yahoo has no closes from {start} to {end}")
    return history


def _first_unsettled_day(metadata: Any) -> np.datetime64:
    """The day of the current session, or the one after it when its close is final: the exchange's local date."""
    end = metadata["currentTradingPeriod"]["regular"]["end"]  # a pandas.Timestamp in the exchange's time zone
    is_final = datetime.datetime.now(datetime.UTC) >= end + _SETTLING
    return np.datetime64(end.date() + _DAY * is_final)


def _check_closes(ticker: str, history: History) -> None:
    lowest, highest = float(LOWEST), float(HIGHEST)
    bad = np.flatnonzero(~((history.y >= lowest) & (history.y <= highest)))
    if len(bad):
        day, close = history.ds[bad[0]], history.y[bad[0]]
        raise TickerFailed(f"{ticker}: Yahoo's close of {day} is {close:g}, not a price between {LOWEST} and {HIGHEST}")


def _explain(error: Exception, ticker: str, known: Any) -> InputError:
    """Translate an error of yfinance for the user; `known` is its module of exceptions."""
    text = " ".join(str(error).split())
    status = getattr(getattr(error, "response", None), "status_code", None) or None  # curl's is 0 without an answer
    if isinstance(error, known.YFRateLimitError) or status == 429:
        return TryLater("Yahoo asks to slow down (429)", attempts=5)
    if isinstance(error, known.YFTzMissingError) or status == 404:
        return NoPrices(f"{ticker}: Yahoo does not know this ticker")
    if isinstance(error, known.YFPricesMissingError):
        reason = f" ({error.yahoo_reason})" if getattr(error, "yahoo_reason", None) else ""
        return NoPrices(f"{ticker}: Yahoo has no prices{reason}")
    if isinstance(error, OSError) and status is None:  # of curl and of requests alike
        curl = re.search(r"curl: \(\d+\) (.*?)\.?( See https://curl\S*.*)?$", text)
        reason = curl[1] if curl else text or type(error).__name__
        if type(error).__name__ in _TRANSIENT:
            return TryLater(f"Yahoo cannot be reached: {reason}", attempts=2)
        return InputError(f"Yahoo cannot be reached: {reason}")
    return TickerFailed(f"{ticker}: Yahoo's answer cannot be read ({type(error).__name__}: {text[:200]})")


def _reason(state: RetryCallState) -> TryLater:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, TryLater), error
    return error


@contextlib.contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        missing = error.name or error
        raise InputError(
            f"efemera data yahoo needs {missing}: pip install '.[yahoo]' in Efemera's folder installs it"
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence yfinance's log and warnings: what matters of them is raised in our words."""
    logger = logging.getLogger("yfinance")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before
