"""Read back a table of prices that a command wrote and is to add to."""

from __future__ import annotations

import duckdb
import numpy as np
from numpy.typing import NDArray

from export.data.price_table import Prices, make_prices
from export.data.prices import read_files, settle
from export.errors import InputError, input_errors
from lambda_fn.tables.errors import InputRefused
from lambda_fn.tables.price_files import PriceFile, open_price_files
from lambda_fn.tables.price_rows import read_layout
from lambda_fn.tables.row_table import RowTable
from lambda_fn.tables.sql import SETTINGS
from lambda_fn.tables.store import scratch

_COLUMNS = ["unique_id", "ds", "y"]


@input_errors()
def read_stored(out: str, *, volume: bool) -> tuple[Prices, NDArray[np.int64]]:
    """Read the prices at `out`, here or on S3, and the volume of each row: (rows,), zeros unless `volume`.

    No series where `out` is not there yet. Raises `InputError` when it cannot be read, when a row is wrong,
    or when writing `unique_id, ds, y` (and volume, if asked for) there would lose a column or leave one empty.
    """
    with scratch() as folder:
        try:
            [file] = open_price_files([out], folder)
        except InputRefused as refusal:
            if not refusal.is_missing:
                raise
            return make_prices({}), np.zeros(0, np.int64)
        _check_columns(out, file, volume)
        prices = read_files([file], minimum=1)
        return prices, _volume(out, file, len(prices)) if volume else np.zeros(len(prices), np.int64)


def _check_columns(out: str, file: PriceFile, volume: bool) -> None:
    with duckdb.connect(":memory:", config=SETTINGS) as database:
        [columns, *_], _ = read_layout(database, file)
    there = sorted(columns.header)
    wanted = [*_COLUMNS, "volume"] if volume else _COLUMNS
    if there == sorted(wanted):
        return
    if volume and there == sorted(_COLUMNS):
        raise InputError(f"{out}: holds no volume, which --volume needs; leave out --volume, or --incremental")
    if not volume and there == sorted([*_COLUMNS, "volume"]):
        raise InputError(f"{out}: holds volumes, which would be lost; add --volume, or leave out --incremental")
    shown = ", ".join(columns.header)[:200]
    raise InputError(f"{out}: its columns are {shown}; only {', '.join(wanted)} can be added to")


def _volume(out: str, file: PriceFile, closes: int) -> NDArray[np.int64]:
    with RowTable([file], with_volume=True) as rows:
        settle(rows.faults(), skip_bad=False)
        volume = rows.closes().volume
    if volume is None or len(volume) != closes or np.isnan(volume).any():
        raise InputError(f"{out}: not every close has its volume; leave out --incremental to fetch all again")
    whole = volume.astype(np.int64)
    if not np.array_equal(whole, volume):
        raise InputError(f"{out}: the column volume holds something other than whole numbers")
    return whole
