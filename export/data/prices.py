"""Read tables of daily closing prices: every row checked, every fault named by file, row and value."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.data.price_jumps import suspected_splits
from export.data.price_table import Prices, make_prices, starts_of
from export.errors import InputError, input_errors
from lambda_fn.tables.price_files import PriceFile, open_price_files
from lambda_fn.tables.row_table import Fault, RowTable
from lambda_fn.tables.store import scratch

__all__ = ["Prices", "make_prices", "read_prices"]


@input_errors()
def read_prices(
    paths: Sequence[Path | str], *, minimum: int, skip_bad: bool = False, column: str | None = None
) -> Prices:
    """Read the closes in these files and folders, here or on S3, each series at least `minimum` rows long.

    The layouts are those of `lambda_fn.tables.layouts`, as .csv, .csv.gz or .parquet. Of Yahoo's two closes
    'Adj Close' is read, or the `column` named; a Yahoo holiday's null row is dropped; a row given twice
    with the same price counts once. With `skip_bad` a series with a fault is left out, with a note.

    Raises `InputError`, one sentence naming file, row, column and value, for the first fault.
    """
    with scratch() as folder:
        files = open_price_files([str(path) for path in paths], folder)
        return read_files(files, minimum=minimum, skip_bad=skip_bad, column=column)


@input_errors()
def read_files(
    files: Sequence[PriceFile], *, minimum: int, skip_bad: bool = False, column: str | None = None
) -> Prices:
    """Read the closes in files that are here; see `read_prices`."""
    with RowTable(files, column=column) as rows:
        skipped = settle(rows.faults(), skip_bad)
        rows.drop_faulty()
        ids, lengths, ds, y, _ = rows.closes()
        prices = Prices(ids, starts_of(lengths), ds, y, sources=tuple(file.name for file in files))
        conflicts = settle(_conflicts(prices, rows), skip_bad)
        prices, merged = _merge_equal(_without(prices, conflicts))
        short = settle(_short_series(prices, rows, minimum), skip_bad)
        prices = _without(prices, short)
        notes = rows.notes()
    skipped += conflicts + short
    if merged:
        notes.append(f"rows that repeat a unique_id and ds at the same price, merged: {merged}")
    notes += skip_notes(skipped, everything=not prices.ids)
    notes += suspected_splits(prices.ids, prices.starts, prices.ds, prices.y)
    return dataclasses.replace(prices, notes=tuple(notes))


def settle(faults: list[Fault], skip_bad: bool) -> list[Fault]:
    """The faults whose series are skipped, or an `InputError` for the first of them."""
    if faults and not skip_bad:
        count = f" (the first of {len(faults)} series with a fault)" if len(faults) > 1 else ""
        raise InputError(faults[0].message + count)
    return faults


def skip_notes(skipped: Sequence[Fault], *, everything: bool) -> list[str]:
    """A note for each series skipped; an `InputError` where that is `everything`."""
    if everything:
        raise InputError(f"every series was skipped; the first: {skipped[0].message}")
    return [
        f"{' '.join(fault.unique_id.split()) or 'rows without unique_id'}: skipped, {fault.message}"
        for fault in skipped
    ]


def repeats(prices: Prices) -> NDArray[np.bool_]:
    """True for a row that has the series and the day of the row before it: (rows,)."""
    again = np.zeros(len(prices), dtype=bool)
    owners = prices.owners()
    again[1:] = (owners[1:] == owners[:-1]) & (prices.ds[1:] == prices.ds[:-1])
    return again


def _conflicts(prices: Prices, rows: RowTable) -> list[Fault]:
    """The first day of each series that has two prices."""
    differs = np.zeros(len(prices), dtype=bool)
    differs[1:] = prices.y[1:] != prices.y[:-1]
    at = np.flatnonzero(repeats(prices) & differs)
    owners, first = np.unique(prices.owners()[at], return_index=True)
    ids, days = [prices.ids[owner] for owner in owners], prices.ds[at[first]].tolist()
    faults = []
    for unique_id, day, places in zip(ids, days, rows.places(ids, days), strict=True):
        (place, price), *others = places
        other_place, other = next((where, y) for where, y in others if y != price)
        faults.append(Fault(unique_id, f"{other_place}: {unique_id} on {day} is {other}, but {price} at {place}"))
    return faults


def _merge_equal(prices: Prices) -> tuple[Prices, int]:
    """Merge the rows of one day; return the count of rows that took away as well."""
    kept = ~repeats(prices)
    starts = starts_of(kept.astype(np.int64))[prices.starts]
    merged = dataclasses.replace(prices, starts=starts, ds=prices.ds[kept], y=prices.y[kept])
    return merged, len(prices) - len(merged)


def _short_series(prices: Prices, rows: RowTable, minimum: int) -> list[Fault]:
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
