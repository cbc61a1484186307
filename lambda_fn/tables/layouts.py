"""Recognise the layout of a price table by its header. A new layout with one header row is one line of `LAYOUTS`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from lambda_fn.tables.errors import InputRefused

ADJUSTED, UNADJUSTED = "Adj Close", "Close"  # Yahoo's two closes
CLOSES = ("adj close", "close")  # adjusted unless told otherwise, since splits put false jumps into the other
YAHOO_PRICES = frozenset({"open", "high", "low", "close", "adj close"})
# What Yahoo and its clients write. Any other name may tell several series apart (symbol, exchange),
# and reading those as one series would be silently wrong.
_YAHOO_COLUMNS = YAHOO_PRICES | {"", "date", "volume", "dividends", "stock splits", "capital gains"}


@dataclasses.dataclass(frozen=True)
class HeaderLayout:
    """A layout that the names in its header row tell, in small letters."""

    words: str  # for messages
    unique_id: str | None  # None: one series, named by its file
    ds: str
    y: tuple[str, ...]  # the first of these that is there is read, unless a column is chosen
    needed: frozenset[str] = frozenset()  # beside these
    only: frozenset[str] | None = None  # every column it may have; None: others are left unread
    nulls: frozenset[str] = frozenset()  # a row in which all of these are null is a holiday's


LAYOUTS = (
    HeaderLayout("unique_id, ds, y", "unique_id", "ds", ("y",)),
    HeaderLayout("ticker, date, close", "ticker", "date", CLOSES),
    HeaderLayout(
        "Yahoo's Date, Open, High, Low, Close, Adj Close, Volume", None, "date", CLOSES,
        needed=frozenset({"open", "high", "low"}), only=_YAHOO_COLUMNS, nulls=YAHOO_PRICES,
    ),
)  # fmt: skip
KNOWN = "; ".join(layout.words for layout in LAYOUTS[:-1]) + f"; or {LAYOUTS[-1].words}"


@dataclasses.dataclass(frozen=True)
class Columns:
    """Positions of what is read in a table's header, from 0."""

    header: tuple[str, ...]
    unique_id: int | None  # None: one series, named by `name` or its file
    ds: int
    y: int
    nulls: tuple[int, ...] = ()  # all of them null: a holiday's row
    has_choice: bool = False  # a layout in which Close or Adj Close can be chosen
    volume: int | None = None  # in any layout; two columns of that name are none
    name: str | None = None  # of the one series, where the header says it
    header_rows: int = 1


def check_choice(column: str | None) -> str | None:
    """`column` as Yahoo spells it, or a `InputRefused` if Yahoo has no such close."""
    for known in (ADJUSTED, UNADJUSTED):
        if column is not None and column.strip().casefold() == known.casefold():
            return known
    if column is None:
        return None
    raise InputRefused(f"column: {column!r} is not one of '{ADJUSTED}', '{UNADJUSTED}'")


def recognise(first_rows: Sequence[Sequence[str]], source: str, column: str | None = None) -> list[Columns]:
    """The columns of a table that begins with these rows; several where one table holds several unnamed series.

    `column` chooses between Yahoo's closes, and is ignored where y is named. Names are compared without case and
    surrounding spaces. Raises `InputRefused` naming `source` and its columns.
    """
    header = first_rows[0]
    names = [name.strip().casefold() for name in header]
    known = set(names)
    for layout in LAYOUTS:
        required = {layout.ds, *layout.needed, *([layout.unique_id] if layout.unique_id else [])}
        if required <= known and known & set(layout.y) and (layout.only is None or known <= layout.only):
            return [_columns(layout, header, names, source, column)]
    if several := _yfinance(first_rows, source, column):
        return several
    shown = ", ".join(repr(name.strip()[:30]) for name in header[:12]) or "not on the first line"
    raise InputRefused(f"{source}: the columns are {shown}{', …' * (len(header) > 12)}; known layouts are {KNOWN}")


def _columns(
    layout: HeaderLayout, header: Sequence[str], names: Sequence[str], source: str, column: str | None
) -> Columns:
    close = _chosen(layout.y, set(names), source, column)
    for name in filter(None, (layout.unique_id, layout.ds, close)):
        if names.count(name) > 1:
            raise InputRefused(f"{source}: the header names {name!r} {names.count(name)} times")
    return Columns(
        header=tuple(header),
        unique_id=names.index(layout.unique_id) if layout.unique_id else None,
        ds=names.index(layout.ds),
        y=names.index(close),
        nulls=tuple(place for place, name in enumerate(names) if name in layout.nulls),
        has_choice=len(layout.y) > 1,
        volume=names.index("volume") if names.count("volume") == 1 else None,
    )


def _yfinance(rows: Sequence[Sequence[str]], source: str, column: str | None) -> list[Columns]:
    """The columns of each ticker in the CSV of yfinance's own tables; none for a file of another kind.

    It has three header rows (Price, Ticker, Date; or Ticker, Price, Date when grouped by ticker), and columns of a
    price and a ticker each.
    """
    corner = [row[0].strip().casefold() if row else "" for row in rows]
    if corner not in (["price", "ticker", "date"], ["ticker", "price", "date"]):
        return []
    price_row, ticker_row = corner.index("price"), corner.index("ticker")
    prices = [name.strip().casefold() for name in rows[price_row]]
    tickers = [name.strip() for name in rows[ticker_row]]
    if len(prices) != len(tickers):
        raise InputRefused(f"{source} line 2: {len(rows[1])} fields where line 1 has {len(rows[0])}")
    series = []
    for ticker in dict.fromkeys(tickers[1:]):
        at = {prices[place]: place for place in range(1, len(prices)) if tickers[place] == ticker}
        if not set(at) & set(CLOSES):
            raise InputRefused(f"{source} line {price_row + 1}: {ticker or 'a column without a ticker'} has no 'Close'")
        series.append(
            Columns(
                header=("Date", *rows[price_row][1:]),
                unique_id=None,
                ds=0,
                y=at[_chosen(CLOSES, set(at), source, column)],
                nulls=tuple(place for name, place in at.items() if name in YAHOO_PRICES),
                has_choice=True,
                volume=at.get("volume"),
                name=ticker,
                header_rows=len(corner),
            )
        )
    return series


def _chosen(closes: Sequence[str], known: set[str], source: str, column: str | None) -> str:
    """The close to read, of those a layout may have."""
    if column is None or len(closes) == 1:
        return next(close for close in closes if close in known)
    if column.casefold() not in known:
        raise InputRefused(f"{source}: there is no column {column!r}")
    return column.casefold()
