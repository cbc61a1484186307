"""Reads price files into one DuckDB table in memory and answers what is in it."""

from __future__ import annotations

import csv
import dataclasses
import datetime
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from export.data.price_columns import ADJUSTED, PriceColumns, recognise_columns
from export.data.price_files import PriceFile
from export.data.price_sql import PREPARE, SETTINGS, insert_csv, insert_parquet, parquet_table
from export.data.yfinance_columns import recognise_yfinance
from export.errors import InputError


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is wrong with a series, in one sentence that names the place."""

    unique_id: str
    message: str


class PriceRows:
    """The rows of every file added, valid or not, in memory until the `with` block ends."""

    def __init__(self, *, with_volume: bool = False) -> None:
        self._with_volume = with_volume
        self.files: list[tuple[PriceFile, PriceColumns]] = []
        self._database = duckdb.connect(":memory:", config=SETTINGS)
        self._database.execute(PREPARE)

    def __enter__(self) -> PriceRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, file: PriceFile, column: str | None) -> PriceColumns:
        """Read one file; `column` chooses between Yahoo's closes.

        A faulty row is kept together with its fault. Raises `InputError` where no row can be read at all.
        """
        try:
            layouts, types = self._layouts(file, column)
            for columns in layouts:
                read = columns if self._with_volume else dataclasses.replace(columns, volume=None)
                number = len(self.files)
                is_parquet = file.ending == ".parquet"
                insert = insert_parquet(number, file, read, types) if is_parquet else insert_csv(number, file, read)
                [(count,)] = self._query(insert)
                if not count:
                    raise InputError(f"{file}: no rows of prices")
                self.files.append((file, read))
        except duckdb.Error:
            raise file.explain_refusal() from None
        return layouts[0]

    def faults(self) -> list[Fault]:
        """The first fault of each series that has one, in the order of files and rows."""
        found = self._query("""
            SELECT unique_id, file, row, fault.field, fault.value, fault.reason
            FROM closes WHERE fault IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY file, row) = 1
            ORDER BY file, row""")
        return [Fault(unique_id, self._describe(*fault)) for unique_id, *fault in found]

    def drop_faulty(self) -> None:
        """Forget every series that has a fault."""
        self._query("""
            DELETE FROM closes
            WHERE unique_id IN (SELECT unique_id FROM closes WHERE fault IS NOT NULL)""")

    def holidays(self) -> list[tuple[PriceFile, int]]:
        """The files with null rows for holidays, and how many."""
        found = self._query("""
            SELECT file, count(*) FROM closes WHERE y IS NULL AND fault IS NULL
            GROUP BY file ORDER BY file""")
        return [(self.files[number][0], count) for number, count in found]

    def closes(
        self,
    ) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.datetime64], NDArray[np.float64]]:
        """The valid closes: ids and row counts (series,), ds and y (rows,), ordered by unique_id and ds."""
        return self.closes_and_volumes()[:4]

    def closes_and_volumes(
        self,
    ) -> tuple[
        tuple[str, ...], NDArray[np.int64], NDArray[np.datetime64], NDArray[np.float64], NDArray[np.float64] | None
    ]:
        """The valid rows: ids and row counts (series,), ds, y and volume (rows,), ordered also by file and row.

        A volume that is not known is NaN; None: no file has any, or the rows were not read `with_volume`.
        """
        series = self._query("SELECT unique_id, count(y) FROM closes GROUP BY unique_id ORDER BY unique_id")
        known = any(columns.volume is not None for _, columns in self.files)
        table = self._run(f"""
            SELECT ds, y{", volume" if known else ""} FROM closes
            WHERE y IS NOT NULL ORDER BY unique_id, ds, file, row""").fetchnumpy()
        ids = tuple(unique_id for unique_id, _ in series)
        rows = np.array([count for _, count in series], dtype=np.int64)
        volume = np.ma.filled(table["volume"], np.nan) if known else None
        return ids, rows, table["ds"].astype("datetime64[D]"), table["y"], volume

    def null_days(self) -> dict[str, NDArray[np.datetime64]]:
        """The days of the null rows of each series that has any: (null rows,) datetime64[D], ascending."""
        found = self._query("""
            SELECT unique_id, list(DISTINCT ds ORDER BY ds) FROM closes
            WHERE y IS NULL AND fault IS NULL GROUP BY unique_id""")
        return {unique_id: np.array(days, dtype="datetime64[D]") for unique_id, days in found}

    def notes(self) -> list[str]:
        """Which of Yahoo's closes were read, and how many holidays were not."""
        notes = []
        for file, columns in self.files:
            if columns.has_choice:
                read = columns.header[columns.y].strip()
                adjusted = any(name.strip().casefold() == ADJUSTED.casefold() for name in columns.header)
                without = "" if adjusted else f"; there is no {ADJUSTED!r}, so splits may show as jumps"
                notes.append(f"{file}: the price is column {read!r}{without}")
        notes += [f"{file}: null rows of holidays, dropped: {count}" for file, count in self.holidays()]
        return list(dict.fromkeys(notes))  # a file of several tickers says a thing once

    def first_files(self) -> dict[str, PriceFile]:
        """The first file in which each series stands."""
        found = self._query("SELECT unique_id, min(file) FROM closes GROUP BY unique_id")
        return {unique_id: self.files[number][0] for unique_id, number in found}

    def places(self, ids: list[str], days: list[datetime.date]) -> list[list[tuple[str, float]]]:
        """For each pair of a series and a day: where it stands and at what price, by file and row."""
        found = self._query(
            """
            SELECT list((file, row, y) ORDER BY file, row)
            FROM closes JOIN (SELECT unnest($ids) AS unique_id, unnest($days) AS ds) USING (unique_id, ds)
            GROUP BY unique_id, ds ORDER BY unique_id, ds""",
            {"ids": ids, "days": days},
        )
        return [[(self.files[number][0].place(row), y) for number, row, y in rows] for (rows,) in found]

    def _layouts(self, file: PriceFile, column: str | None) -> tuple[list[PriceColumns], list[str]]:
        """The layout of each series of an unnamed one, or of the whole table; and DuckDB's types for Parquet."""
        if file.ending == ".parquet":
            described = self._query(f"DESCRIBE SELECT * FROM {parquet_table(file)}")
            columns = recognise_columns([name for name, *_ in described], str(file), column)
            return [columns], [kind for _, kind, *_ in described]
        rows = [_split(line) for line in (file.header, *file.below)]
        return recognise_yfinance(rows, str(file), column) or [recognise_columns(rows[0], str(file), column)], []

    def _query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[Any]:
        return self._run(sql, parameters).fetchall()

    def _run(self, sql: str, parameters: dict[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
        try:
            return self._database.execute(sql, parameters)
        except duckdb.OutOfMemoryException:
            raise InputError("the price files together are too large for this machine's memory") from None

    def _describe(self, number: int, row: int, field: str, value: str | None, reason: str) -> str:
        file, columns = self.files[number]
        place, width = file.place(row), len(columns.header)
        if field == "width":
            return f"{place}: {value} field{'s' * (value != '1')} where the header has {width}"
        position = {"unique_id": columns.unique_id, "ds": columns.ds, "y": columns.y, "volume": columns.volume}[field]
        name = "unique_id" if position is None else columns.header[position].strip()
        if not value:
            return f"{place}: {name} is empty"
        return f"{place}: {name} is {value[:40]!r}{'…' * (len(value) > 40)}, {reason}"


def _split(header: str) -> list[str]:
    try:
        return next(csv.reader([header]), [])
    except csv.Error:  # a single field of more than 128 KiB: no header of ours
        return [header]
