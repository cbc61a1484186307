"""Recognises the layout of a price file of a batch run by the names of its columns."""

from __future__ import annotations

from collections.abc import Sequence

from lambda_fn.tables.price_files import InputRefused

LAYOUTS = "unique_id, ds, y; ticker, date, close; or Yahoo's Date, Open, High, Low, Close, Adj Close, Volume"

_YAHOO = {"open", "high", "low", "close", "adj close"}
# Any other name may tell several series apart (symbol, exchange), and reading those as one would be silently wrong.
_YAHOO_KNOWN = {"", "date", *_YAHOO, "volume", "dividends", "stock splits", "capital gains"}


def recognise(header: Sequence[str], source: str) -> tuple[int | None, int, int, list[int]]:
    """Positions of id (None: the file's name), day and close, and of Yahoo's prices, all null on a holiday.

    Of Yahoo's two closes the adjusted one is read: splits put false jumps into the other. Raises `InputRefused` naming
    `source` and the columns found.
    """
    names = [name.strip().casefold() for name in header]
    known = set(names)
    close = "adj close" if "adj close" in known else "close"
    if {"unique_id", "ds", "y"} <= known:
        wanted = ["unique_id", "ds", "y"]
    elif {"ticker", "date", close} <= known:
        wanted = ["ticker", "date", close]
    elif {"date", "open", "high", "low", close} <= known <= _YAHOO_KNOWN:
        wanted = ["", "date", close]
    else:
        shown = ", ".join(repr(name.strip()[:30]) for name in header[:12]) or "not on the first line"
        raise InputRefused(f"{source}: the columns are {shown}; known layouts are {LAYOUTS}")
    for name in filter(None, wanted):
        if names.count(name) > 1:
            raise InputRefused(f"{source}: the header names {name!r} {names.count(name)} times")
    is_yahoo = not wanted[0]
    prices = [position for position, name in enumerate(names) if is_yahoo and name in _YAHOO]
    return None if is_yahoo else names.index(wanted[0]), names.index(wanted[1]), names.index(wanted[2]), prices
