"""Read price files into one DuckDB table in memory, each row with its file and line, and name the place of a fault."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from lambda_fn.tables.errors import InputRefused
from lambda_fn.tables.layouts import ADJUSTED, Columns, check_choice
from lambda_fn.tables.price_files import PriceFile
from lambda_fn.tables.price_rows import MACROS, explain_failure, read_layout, typed_rows
from lambda_fn.tables.sql import SETTINGS

_CREATE = """
    CREATE TABLE closes ( -- y and fault both NULL: a holiday of Yahoo's
        file INTEGER, row BIGINT, unique_id VARCHAR, ds DATE, y DOUBLE,
        fault STRUCT(field VARCHAR, value VARCHAR, reason VARCHAR),
        volume DOUBLE); -- NULL: unknown, or not asked for"""
_INSERT = """
    INSERT INTO closes
    SELECT {number}, row, unique_id, ds, y,
        CASE WHEN fault IS NULL AND regexp_matches(unique_id, '[[:cntrl:]]')
            THEN fault_of('unique_id', unique_id, 'not a name on one line') ELSE fault END, volume
    FROM ({rows})"""


@dataclasses.dataclass(frozen=True)
class Fault:
    """The fault of a series, in one sentence that names the place."""

    unique_id: str
    message: str


class Closes(NamedTuple):
    """The rows with a price, ordered by unique_id, ds, file and row."""

    ids: tuple[str, ...]  # (series,)
    lengths: NDArray[np.int64]  # (series,) rows of each; 0 where it has none with a price
    ds: NDArray[np.datetime64]  # (rows,) datetime64[D]
    y: NDArray[np.float64]  # (rows,)
    volume: NDArray[np.float64] | None  # (rows,) NaN where unknown; None: no file has any, or it was not asked for


class RowTable:
    """The rows of price files, valid or not, in memory until the `with` block ends."""

    def __init__(self, files: Sequence[PriceFile], *, column: str | None = None, with_volume: bool = False) -> None:
        """Read the files; `column` chooses between Yahoo's closes.

        A faulty row is kept together with its fault. Raises `InputRefused` where no row of a file can be read at all,
        and for a choice that no file has.
        """
        self._with_volume = with_volume
        self._tables: list[tuple[PriceFile, Columns]] = []  # by number; a file of several unnamed series is several
        choice = check_choice(column)
        with contextlib.ExitStack() as opened:  # closed where anything below raises
            self._database = opened.enter_context(duckdb.connect(":memory:", config=SETTINGS))
            self._database.execute(MACROS + _CREATE)
            for file in files:
                self._add(file, choice)
            if choice and not any(columns.has_choice for _, columns in self._tables):
                raise InputRefused(f"column: the price of {files[0]} is in y; there is no {choice!r} to choose")
            self._opened = opened.pop_all()

    def __enter__(self) -> RowTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def faults(self) -> list[Fault]:
        """The first fault of each series that has one, in the order of files and rows."""
        faults = self._query("""
            SELECT unique_id, file, row, fault.field, fault.value, fault.reason
            FROM closes WHERE fault IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY file, row) = 1
            ORDER BY file, row""")
        return [Fault(unique_id, self._describe(*fault)) for unique_id, *fault in faults]

    def drop_faulty(self) -> None:
        """Forget every series that has a fault."""
        self._query("""
            DELETE FROM closes
            WHERE unique_id IN (SELECT unique_id FROM closes WHERE fault IS NOT NULL)""")

    def closes(self) -> Closes:
        """The rows with a price as arrays."""
        series = self._query("SELECT unique_id, count(y) FROM closes GROUP BY unique_id ORDER BY unique_id")
        has_volume = self._with_volume and any(columns.volume is not None for _, columns in self._tables)
        table = self._run(f"""
            SELECT ds, y{", volume" if has_volume else ""} FROM closes
            WHERE y IS NOT NULL ORDER BY unique_id, ds, file, row""").fetchnumpy()
        return Closes(
            tuple(unique_id for unique_id, _ in series),
            np.array([count for _, count in series], dtype=np.int64),
            table["ds"].astype("datetime64[D]"),
            table["y"],
            np.ma.filled(table["volume"], np.nan) if has_volume else None,
        )

    def null_days(self) -> dict[str, NDArray[np.datetime64]]:
        """The days of the null rows of each series that has any: (null rows,) datetime64[D], ascending."""
        series = self._query("""
            SELECT unique_id, list(DISTINCT ds ORDER BY ds) FROM closes
            WHERE y IS NULL AND fault IS NULL GROUP BY unique_id""")
        return {unique_id: np.array(days, dtype="datetime64[D]") for unique_id, days in series}

    def notes(self) -> list[str]:
        """The close of Yahoo's that was read of each file, and how many holidays were not."""
        notes = []
        for file, columns in self._tables:
            if columns.has_choice:
                read = columns.header[columns.y].strip()
                adjusted = any(name.strip().casefold() == ADJUSTED.casefold() for name in columns.header)
                without = "" if adjusted else f"; there is no {ADJUSTED!r}, so splits may show as jumps"
                notes.append(f"{file}: the price is column {read!r}{without}")
        holidays = self._query("""
            SELECT file, count(*) FROM closes WHERE y IS NULL AND fault IS NULL
            GROUP BY file ORDER BY file""")
        notes += [f"{self._tables[number][0]}: null rows of holidays, dropped: {count}" for number, count in holidays]
        return list(dict.fromkeys(notes))  # a file of several tickers says a thing once

    def first_files(self) -> dict[str, PriceFile]:
        """The first file in which each series stands."""
        series = self._query("SELECT unique_id, min(file) FROM closes GROUP BY unique_id")
        return {unique_id: self._tables[number][0] for unique_id, number in series}

    def places(self, ids: Sequence[str], days: Sequence[datetime.date]) -> list[list[tuple[str, float]]]:
        """The place and price of every row of each pair of a series and a day, by file and row."""
        pairs = self._query(
            """
            SELECT list((file, row, y) ORDER BY file, row)
            FROM closes JOIN (SELECT unnest($ids) AS unique_id, unnest($days) AS ds) USING (unique_id, ds)
            GROUP BY unique_id, ds ORDER BY unique_id, ds""",
            {"ids": list(ids), "days": list(days)},
        )
        return [[(self._tables[number][0].place(row), y) for number, row, y in rows] for (rows,) in pairs]

    def _add(self, file: PriceFile, choice: str | None) -> None:
        try:
            layouts, types = read_layout(self._database, file, choice)
            for columns in layouts:
                rows = typed_rows([file], columns, types, numbered=True, with_volume=self._with_volume)
                [(count,)] = self._query(_INSERT.format(number=len(self._tables), rows=rows))
                if not count:
                    raise InputRefused(f"{file}: no rows of prices")
                self._tables.append((file, columns))
        except duckdb.Error:
            raise explain_failure(self._database, [file]) from None

    def _query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[Any]:
        return self._run(sql, parameters).fetchall()

    def _run(self, sql: str, parameters: dict[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
        try:
            return self._database.execute(sql, parameters)
        except duckdb.OutOfMemoryException:
            raise InputRefused("the price files together are too large for this machine's memory") from None

    def _describe(self, number: int, row: int, field: str, value: str | None, reason: str) -> str:
        file, columns = self._tables[number]
        place, width = file.place(row), len(columns.header)
        if field == "width":
            if value == "0":
                return f"{place}: a cell in quotes does not end on its line"
            return f"{place}: {value} field{'s' * (value != '1')} where the header has {width}"
        position = {"unique_id": columns.unique_id, "ds": columns.ds, "y": columns.y, "volume": columns.volume}[field]
        name = "unique_id" if position is None else columns.header[position].strip()
        if not value:
            return f"{place}: {name} is empty"
        return f"{place}: {name} is {value[:40]!r}{'…' * (len(value) > 40)}, {reason}"
