"""Recognises the layouts of a price table that has one header row, by the names of its columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from export.errors import InputError

ADJUSTED, UNADJUSTED = "Adj Close", "Close"  # Yahoo's two closes
LAYOUTS = "unique_id, ds, y; ticker, date, close; or Yahoo's Date, Open, High, Low, Close, Adj Close, Volume"

YAHOO_PRICES = ("open", "high", "low", "close", "adj close")
# What Yahoo and its clients write. Any other name may tell several series apart (symbol, exchange),
# and reading those as one series would be silently wrong.
_YAHOO_KNOWN = {"", "date", *YAHOO_PRICES, "volume", "dividends", "stock splits", "capital gains"}


@dataclasses.dataclass(frozen=True)
class PriceColumns:
    """Where a table keeps what is read: positions in its header, from 0."""

    header: tuple[str, ...]
    unique_id: int | None  # None: one series, named by its file
    ds: int
    y: int
    yahoo_prices: tuple[int, ...] = ()  # all of them null: a holiday's row; empty in other layouts
    has_choice: bool = False  # a layout in which Close or Adj Close can be chosen
    volume: int | None = None  # in any layout; two columns of that name are none
    name: str | None = None  # of the one series, where the header says it
    header_rows: int = 1


def check_choice(column: str | None) -> str | None:
    """`column` as Yahoo spells it, or an `InputError` if Yahoo has no such close."""
    for known in (ADJUSTED, UNADJUSTED):
        if column is not None and column.strip().casefold() == known.casefold():
            return known
    if column is None:
        return None
    raise InputError(f"column: {column!r} is not one of '{ADJUSTED}', '{UNADJUSTED}'")


def recognise_columns(header: Sequence[str], source: str, column: str | None) -> PriceColumns:
    """The layout of a table; `column` chooses between Yahoo's closes, and is ignored where y is named.

    Names are compared without case and surrounding spaces. Other columns are left unread.
    Raises `InputError` naming `source` and the columns found.
    """
    names = [name.strip().casefold() for name in header]
    known = set(names)
    if {"unique_id", "ds", "y"} <= known:
        wanted = ["unique_id", "ds", "y"]
    elif {"ticker", "date"} <= known and known & {"close", "adj close"}:
        wanted = ["ticker", "date", choose_close(known, source, column)]
    elif {"date", "open", "high", "low"} <= known <= _YAHOO_KNOWN and known & {"close", "adj close"}:
        wanted = ["", "date", choose_close(known, source, column)]
    else:
        raise InputError(f"{source}: the columns are {_list(header)}; known layouts are {LAYOUTS}")
    for name in filter(None, wanted):
        if names.count(name) > 1:
            raise InputError(f"{source}: the header names {name!r} {names.count(name)} times")
    is_yahoo = not wanted[0]
    return PriceColumns(
        header=tuple(header),
        unique_id=None if is_yahoo else names.index(wanted[0]),
        ds=names.index(wanted[1]),
        y=names.index(wanted[2]),
        yahoo_prices=tuple(i for i, name in enumerate(names) if is_yahoo and name in YAHOO_PRICES),
        has_choice=wanted[2] != "y",
        volume=names.index("volume") if names.count("volume") == 1 else None,
    )


def choose_close(known: set[str], source: str, column: str | None) -> str:
    """The close to read: adjusted unless told otherwise, since splits put false jumps into the other."""
    if column is None:
        return "adj close" if "adj close" in known else "close"
    if column.casefold() not in known:
        raise InputError(f"{source}: there is no column {column!r}")
    return column.casefold()


def _list(header: Sequence[str]) -> str:
    """At most a dozen names, none of them long: the first line of a strange file can be anything."""
    shown = [repr(name.strip()[:30]) for name in header[:12]]
    return (", ".join(shown) or "not on the first line") + (", …" if len(header) > 12 else "")
