"""Reads back a table of prices that a command wrote and is to add to."""

from __future__ import annotations

import contextlib
import csv
import re
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from export.data.destination import FORMATS
from export.data.price_files import PriceFile, find_price_files
from export.data.price_sql import SETTINGS, parquet_table, quote
from export.data.price_table import Prices, make_prices
from export.data.prices import read_prices
from export.data.s3 import NoSuchObject, is_s3, local_files
from export.errors import InputError

_COLUMNS = ["unique_id", "ds", "y"]


def read_stored(out: str, *, volume: bool) -> tuple[Prices, NDArray[np.int64]]:
    """The prices at `out`, here or on S3, and the volume of each row: (rows,), zeros unless `volume`.

    No series where `out` is not there yet. Raises `InputError` when it cannot be read, when a row is wrong,
    or when writing `unique_id, ds, y` (and volume, if asked for) there would lose a column or leave one empty.
    """
    with contextlib.ExitStack() as copies:
        try:
            [path] = copies.enter_context(local_files([out], tuple(FORMATS))).paths
        except NoSuchObject:
            return make_prices({}), np.zeros(0, np.int64)
        if not is_s3(out) and not path.exists():
            return make_prices({}), np.zeros(0, np.int64)
        [file] = find_price_files([path])
        _check_columns(out, file, volume)
        prices = read_prices([path], minimum=1)
        return prices, _volume(out, file, prices) if volume else np.zeros(len(prices), np.int64)


def _check_columns(out: str, file: PriceFile, volume: bool) -> None:
    with duckdb.connect(":memory:", config=SETTINGS) as database:
        found = (
            [name for name, *_ in database.execute(f"DESCRIBE SELECT * FROM {parquet_table(file)}").fetchall()]
            if file.ending == ".parquet"
            else next(csv.reader([file.header]), [])
        )
    wanted = [*_COLUMNS, "volume"] if volume else _COLUMNS
    if sorted(found) == sorted(wanted):
        return
    if volume and sorted(found) == sorted(_COLUMNS):
        raise InputError(f"{out}: holds no volume, which --volume needs; leave out --volume, or --incremental")
    if not volume and sorted(found) == sorted([*_COLUMNS, "volume"]):
        raise InputError(f"{out}: holds volumes, which would be lost; add --volume, or leave out --incremental")
    raise InputError(f"{out}: its columns are {', '.join(found)[:200]}; only {', '.join(wanted)} can be added to")


def _volume(out: str, file: PriceFile, prices: Prices) -> NDArray[np.int64]:
    literal = quote(re.sub(r"([*?\[])", r"[\1]", str(Path(file.path).absolute())), "'")  # brackets are no pattern
    types = "{'unique_id': 'VARCHAR', 'ds': 'VARCHAR', 'y': 'DOUBLE', 'volume': 'BIGINT'}"
    rows = parquet_table(file) if file.ending == ".parquet" else f"read_csv({literal}, header = true, types = {types})"
    with duckdb.connect(":memory:", config=SETTINGS) as database:
        try:
            found = database.execute(f"""
                SELECT CAST(y AS DOUBLE) AS y, CAST(volume AS BIGINT) AS volume FROM {rows}
                ORDER BY trim(CAST(unique_id AS VARCHAR)), trim(CAST(ds AS VARCHAR))""").fetchnumpy()
        except duckdb.Error:
            raise InputError(f"{out}: the column volume holds something other than whole numbers") from None
    if np.ma.is_masked(found["volume"]) or not np.array_equal(found["y"], prices.y):
        raise InputError(f"{out}: not every close has its volume; leave out --incremental to fetch all again")
    return np.asarray(found["volume"], np.int64)
