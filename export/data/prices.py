"""Reads tables of daily closing prices: every row checked, every fault named by file, row and value."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.data.price_columns import check_choice
from export.data.price_files import find_price_files
from export.data.price_jumps import suspected_splits
from export.data.price_rows import Fault, PriceRows
from export.data.price_table import Prices, make_prices, starts_of
from export.errors import InputError

__all__ = ["Prices", "make_prices", "read_prices"]


def read_prices(paths: Sequence[Path], *, minimum: int, skip_bad: bool = False, column: str | None = None) -> Prices:
    """The closes in these files and folders, each series at least `minimum` rows long.

    Three layouts are known (`price_columns.LAYOUTS`), as .csv, .csv.gz or .parquet. Of Yahoo's two closes
    'Adj Close' is read, or the `column` named; a Yahoo holiday's null row is dropped; a row given twice
    with the same price counts once. With `skip_bad` a series with a fault is left out, with a note.

    Raises `InputError`, one sentence naming file, row, column and value, for the first fault.
    """
    choice = check_choice(column)
    files = find_price_files(paths)
    with PriceRows() as rows:
        read = [rows.add(file, choice) for file in files]
        if choice and not any(columns.has_choice for columns in read):
            raise InputError(f"column: the price of {files[0]} is in y; there is no {choice!r} to choose")
        skipped = _settle(rows.faults(), skip_bad)
        rows.drop_faulty()
        ids, lengths, ds, y = rows.closes()
        found = Prices(ids, starts_of(lengths), ds, y, sources=tuple(map(str, files)))
        conflicts = _settle(_conflicts(found, rows), skip_bad)
        found, merged = _merge_equal(_without(found, conflicts))
        short = _settle(_short_series(found, rows, minimum), skip_bad)
        found = _without(found, short)
        notes = rows.notes()
    skipped += conflicts + short
    if not found.ids:
        raise InputError(f"every series was skipped; the first: {skipped[0].message}")
    if merged:
        notes.append(f"rows that repeat a unique_id and ds at the same price, merged: {merged}")
    for fault in skipped:
        name = " ".join(fault.unique_id.split()) or "rows without unique_id"
        notes.append(f"{name}: skipped, {fault.message}")
    notes += suspected_splits(found.ids, found.starts, found.ds, found.y)
    return dataclasses.replace(found, notes=tuple(notes))


def _settle(faults: list[Fault], skip_bad: bool) -> list[Fault]:
    """The faults to skip, or an `InputError` for the first of them."""
    if faults and not skip_bad:
        count = f" (the first of {len(faults)} series with a fault)" if len(faults) > 1 else ""
        raise InputError(faults[0].message + count)
    return faults


def _repeats(prices: Prices) -> NDArray[np.bool_]:
    """Whether a row has the series and the day of the row before it: (rows,)."""
    repeats = np.zeros(len(prices), dtype=bool)
    owners = prices.owners()
    repeats[1:] = (owners[1:] == owners[:-1]) & (prices.ds[1:] == prices.ds[:-1])
    return repeats


def _conflicts(prices: Prices, rows: PriceRows) -> list[Fault]:
    """The first day of each series that has two prices."""
    differs = np.zeros(len(prices), dtype=bool)
    differs[1:] = prices.y[1:] != prices.y[:-1]
    at = np.flatnonzero(_repeats(prices) & differs)
    owners, first = np.unique(prices.owners()[at], return_index=True)
    ids, days = [prices.ids[owner] for owner in owners], prices.ds[at[first]].tolist()
    faults = []
    for unique_id, day, places in zip(ids, days, rows.places(ids, days), strict=True):
        (place, price), *others = places
        other_place, other = next((where, y) for where, y in others if y != price)
        faults.append(Fault(unique_id, f"{other_place}: {unique_id} on {day} is {other}, but {price} at {place}"))
    return faults


def _merge_equal(prices: Prices) -> tuple[Prices, int]:
    """Every day once, and how many rows that took away."""
    kept = ~_repeats(prices)
    starts = starts_of(kept.astype(np.int64))[prices.starts]
    merged = dataclasses.replace(prices, starts=starts, ds=prices.ds[kept], y=prices.y[kept])
    return merged, len(prices) - len(merged)


def _short_series(prices: Prices, rows: PriceRows, minimum: int) -> list[Fault]:
    lengths = np.diff(prices.starts)
    minimum = max(minimum, 1)  # a file of holidays alone leaves a series without rows
    short = np.flatnonzero(lengths < minimum)
    files = rows.first_files() if len(short) else {}
    return [
        Fault(name, f"{files[name]}: {name} is too short: {length} of at least {minimum} rows")
        for name, length in ((prices.ids[position], lengths[position]) for position in short)
    ]


def _without(prices: Prices, faults: list[Fault]) -> Prices:
    return prices.only(set(prices.ids) - {fault.unique_id for fault in faults}) if faults else prices
