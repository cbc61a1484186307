"""Read price tables as they stand, for an audit: no day merged, and the volumes beside the closes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.data.price_table import Prices, starts_of
from export.data.prices import settle, skip_notes
from export.errors import input_errors
from lambda_fn.tables.price_files import PriceFile
from lambda_fn.tables.row_table import Fault, RowTable


@dataclasses.dataclass(frozen=True, eq=False)
class RawPrices:
    """All rows with a price; a day may stand in a series more than once, in the order of files and rows."""

    prices: Prices
    volume: NDArray[np.float64] | None  # (rows,) NaN where unknown; None: unknown in every row
    null_days: dict[str, NDArray[np.datetime64]]  # unique_id → days that Yahoo gives without prices, ascending
    skipped: tuple[Fault, ...]  # the series left out


@input_errors()
def read_raw_prices(files: Sequence[PriceFile], *, skip_bad: bool = False, column: str | None = None) -> RawPrices:
    """The rows of these files, in the layouts and with the checks of `read_prices`, whose `column` this is.

    A volume that is no number, or below zero, is a fault too. With `skip_bad` a series with a faulty row is
    left out. Raises `InputError`, one sentence naming file, row, column and value, for the first fault.
    """
    with RowTable(files, column=column, with_volume=True) as rows:
        skipped = settle(rows.faults(), skip_bad)
        rows.drop_faulty()
        ids, lengths, ds, y, volume = rows.closes()
        first_files = rows.first_files() if np.any(lengths == 0) else {}
        notes, null_days = rows.notes(), rows.null_days()
    kept = [unique_id for unique_id, length in zip(ids, lengths, strict=True) if length]
    empty = [unique_id for unique_id, length in zip(ids, lengths, strict=True) if not length]
    skipped += settle([Fault(name, f"{first_files[name]}: {name} has null rows only") for name in empty], skip_bad)
    notes += skip_notes(skipped, everything=not kept)
    sources = tuple(file.name for file in files)
    prices = Prices(tuple(kept), starts_of(lengths[lengths > 0]), ds, y, sources=sources, notes=tuple(notes))
    return RawPrices(prices, volume, null_days, tuple(skipped))
