"""Write a table to `--out`: CSV or Parquet by its ending, on this machine or on S3, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from export.data.price_table import Prices
from export.errors import InputError, input_errors
from lambda_fn.tables.errors import TableError
from lambda_fn.tables.s3 import is_s3, split_address
from lambda_fn.tables.sql import SETTINGS, quote
from lambda_fn.tables.store import open_store, scratch

FORMATS = {
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
    ".csv.gz": "FORMAT csv, HEADER, COMPRESSION gzip",
    ".csv": "FORMAT csv, HEADER",
}


def check_destination(out: str, endings: Sequence[str] = tuple(FORMATS)) -> None:
    """Refuse `out` before long work rather than after it; an `InputError` says what is wrong with it."""
    if _ending(out, endings) is None:
        *others, last = endings
        raise InputError(f"--out {out}: must end in {', '.join(others)} or {last}")
    if Path(out).name.lower() in endings:
        raise InputError(f"--out {out}: names no file")
    if is_s3(out):
        with input_errors():
            _, key = split_address(out)
        if not key:
            raise InputError(f"--out {out}: names a bucket and no key")
        return
    try:
        path = Path(out).resolve()
        if path.is_dir():
            raise InputError(f"--out {out}: is a folder")
        folder = next(parent for parent in path.parents if parent.exists())
        if not folder.is_dir():
            raise InputError(f"--out {out}: can't be written ({folder} is not a folder)")
    except OSError as error:  # a name too long, a link to itself
        raise InputError(f"--out {out}: can't be written ({error.strerror})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--out {out}: can't be written (no permission in {folder})")


def write_prices(prices: Prices, out: str, volume: NDArray[np.int64] | None = None) -> None:
    """Write the table `unique_id, ds, y`, ordered by unique_id and ds; `volume` (rows,) is a fourth column."""
    columns: dict[str, NDArray[Any]] = {"unique_id": prices.owners(), "ds": prices.ds, "y": prices.y}
    if volume is not None:
        columns["volume"] = volume
    write_table(columns, out, labels={"unique_id": prices.ids})


def write_table(
    columns: Mapping[str, NDArray[Any]], out: str, labels: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Write columns of one length as a table at `out`.

    A column named in `labels` holds positions in those labels. Dates are datetime64[D].
    Raises `InputError` when `out` can't be written; what stood there before then still does.
    """
    labels = labels or {}
    arrays = {
        name: values.astype("datetime64[s]") if values.dtype.kind == "M" else values for name, values in columns.items()
    }
    select = ", ".join(_expression(name, name in labels, columns[name].dtype.kind == "M") for name in columns)
    with placing(out) as path, duckdb.connect(":memory:", config=SETTINGS) as database:
        database.register("arrays", arrays)
        for name, values in labels.items():
            database.execute(f"SET VARIABLE {name} = $values", {"values": list(values)})
        try:
            database.execute(f"COPY (SELECT {select} FROM arrays) TO {quote(str(path), chr(39))} ({_format(out)})")
        except duckdb.IOException as error:
            number = re.search(r'"errno":"([0-9]+)"', str(error))  # DuckDB's own words name our hidden folder
            raise OSError(None, os.strerror(int(number[1])) if number else "the disk refused") from None


@contextlib.contextmanager
def placing(out: str) -> Iterator[Path]:
    """A path to write to; when the block ends well its content is put at `out` in one step, else it is gone.

    A link at `out` is followed. Raises `InputError` naming `out` when it can't be written.
    """
    try:
        target = Path(out).resolve()
        with scratch(None if is_s3(out) else target.parent) as folder:
            staged = folder / target.name
            yield staged
            if is_s3(out):
                prefix, _, key = out.rpartition("/")
                open_store(f"{prefix}/").put(key, staged)
                return
            with staged.open("rb+") as file:
                os.fsync(file.fileno())
            staged.replace(target)
    except TableError as error:
        raise InputError(f"--out {error}") from None
    except OSError as error:
        raise InputError(f"--out {out}: can't be written ({error.strerror or error})") from None


def _expression(name: str, is_label: bool, is_date: bool) -> str:
    if is_label:
        return f"getvariable('{name}')[{name} + 1] AS {name}"
    return f"CAST({name} AS DATE) AS {name}" if is_date else name


def _format(out: str) -> str:
    ending = _ending(out, tuple(FORMATS))
    assert ending is not None, out
    return FORMATS[ending]


def _ending(out: str, endings: Sequence[str]) -> str | None:
    return next((ending for ending in endings if out.lower().endswith(ending)), None)
