"""Reads price tables as they stand, for an audit: no day merged, and the volumes beside the closes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from export.data.price_columns import check_choice
from export.data.price_files import PriceFile
from export.data.price_rows import Fault, PriceRows
from export.data.price_table import Prices, starts_of
from export.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class GivenPrices:
    """Every row with a price; a day may stand in a series more than once, in the order of files and rows."""

    prices: Prices
    volume: NDArray[np.float64] | None  # (rows,) NaN where unknown; None: unknown in every row
    null_days: dict[str, NDArray[np.datetime64]]  # unique_id → days that Yahoo gives without prices, ascending
    skipped: tuple[Fault, ...]  # the series left out

    def renamed(self, name: Callable[[str], str]) -> GivenPrices:
        """The same rows, with every file that is spoken of renamed."""
        prices = dataclasses.replace(
            self.prices, sources=tuple(map(name, self.prices.sources)), notes=tuple(map(name, self.prices.notes))
        )
        skipped = tuple(Fault(fault.unique_id, name(fault.message)) for fault in self.skipped)
        return dataclasses.replace(self, prices=prices, skipped=skipped)


def read_given_prices(files: Sequence[PriceFile], *, skip_bad: bool = False, column: str | None = None) -> GivenPrices:
    """The rows of these files, in the layouts and with the checks of `read_prices`, whose `column` this is.

    A volume that is no number, or below zero, is a fault too. With `skip_bad` a series with a faulty row is
    left out. Raises `InputError`, one sentence naming file, row, column and value, for the first fault.
    """
    choice = check_choice(column)
    with PriceRows(with_volume=True) as rows:
        read = [rows.add(file, choice) for file in files]
        if choice and not any(columns.has_choice for columns in read):
            raise InputError(f"column: the price of {files[0]} is in y; there is no {choice!r} to choose")
        skipped = rows.faults()
        if skipped and not skip_bad:
            count = f" (the first of {len(skipped)} series with a fault)" if len(skipped) > 1 else ""
            raise InputError(skipped[0].message + count)
        rows.drop_faulty()
        ids, lengths, ds, y, volume = rows.closes_and_volumes()
        first_files = rows.first_files() if np.any(lengths == 0) else {}
        empty = [
            Fault(unique_id, f"{first_files[unique_id]}: {unique_id} has null rows only")
            for unique_id, length in zip(ids, lengths, strict=True)
            if not length
        ]
        if empty and not skip_bad:
            raise InputError(empty[0].message)
        notes, null_days = rows.notes(), rows.null_days()
    skipped += empty
    if len(empty) == len(ids):
        raise InputError(f"every series was skipped; the first: {skipped[0].message}")
    for fault in skipped:
        name = " ".join(fault.unique_id.split()) or "rows without unique_id"
        notes.append(f"{name}: skipped, {fault.message}")
    kept = tuple(unique_id for unique_id, length in zip(ids, lengths, strict=True) if length)
    prices = Prices(kept, starts_of(lengths[lengths > 0]), ds, y, sources=tuple(map(str, files)), notes=tuple(notes))
    return GivenPrices(prices, volume, null_days, tuple(skipped))
