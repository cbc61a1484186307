"""Recognises the CSV that yfinance's own tables make: three header rows, and columns of a price and a ticker."""

from __future__ import annotations

from collections.abc import Sequence

from export.data.price_columns import YAHOO_PRICES, PriceColumns, choose_close
from export.errors import InputError

HEADER_ROWS = 3  # Price, Ticker, Date; or Ticker, Price, Date when grouped by ticker


def recognise_yfinance(rows: Sequence[Sequence[str]], source: str, column: str | None) -> list[PriceColumns]:
    """One layout for each ticker of a file that begins with these rows; none for a file of another kind.

    `column` chooses between Yahoo's closes. Raises `InputError` naming `source` where a ticker has no close.
    """
    corner = [row[0].strip().casefold() if row else "" for row in rows]
    if corner not in (["price", "ticker", "date"], ["ticker", "price", "date"]):
        return []
    price_row, ticker_row = corner.index("price"), corner.index("ticker")
    prices = [name.strip().casefold() for name in rows[price_row]]
    tickers = [name.strip() for name in rows[ticker_row]]
    if len(prices) != len(tickers):
        raise InputError(f"{source} line 2: {len(rows[1])} fields where line 1 has {len(rows[0])}")
    found = []
    for ticker in dict.fromkeys(tickers[1:]):
        at = {prices[place]: place for place in range(1, len(prices)) if tickers[place] == ticker}
        if not {"close", "adj close"} & set(at):
            raise InputError(f"{source} line {price_row + 1}: {ticker or 'a column without a ticker'} has no 'Close'")
        found.append(
            PriceColumns(
                header=("Date", *rows[price_row][1:]),
                unique_id=None,
                ds=0,
                y=at[choose_close(set(at), source, column)],
                yahoo_prices=tuple(place for name, place in at.items() if name in YAHOO_PRICES),
                has_choice=True,
                volume=at.get("volume"),
                name=ticker,
                header_rows=HEADER_ROWS,
            )
        )
    return found
