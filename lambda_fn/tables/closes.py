"""Every close of the input in one DuckDB: the view `closes`, row by row, and the table `ids`, series by series."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from lambda_fn.tables.price_files import InputFile
from lambda_fn.tables.price_rows import MACROS, NEEDS_CLEANING, csv_rows, parquet_columns, parquet_rows
from lambda_fn.tables.sql import quote


def read_closes(
    database: duckdb.DuckDBPyConnection, files: Sequence[InputFile], folder: Path, as_of: datetime.date
) -> None:
    """Make `closes` (unique_id, ds, y, fault) and `ids` (unique_id, hash, last, rows, undated), these up to the day.

    CSV is parsed once, into a Parquet file of our own in `folder`. Raises what DuckDB raises for a file it can't read.
    """
    database.execute(MACROS)
    tables: dict[Any, list[InputFile]] = {}
    for file in files:
        alike = file.header if file.ending != ".parquet" else parquet_columns(database, file)
        tables.setdefault(alike, []).append(file)
    parsed: list[str] = []
    for position, (alike, group) in enumerate(tables.items()):
        if not isinstance(alike, tuple):
            path = quote(str(folder / f"parsed-{position}.parquet"), "'")
            database.execute(f"COPY ({csv_rows(group)}) TO {path} (FORMAT parquet)")
            parsed.append(f"SELECT * FROM read_parquet({path}, hive_partitioning = false)")
    for cleaned in (False, True):
        given = [parquet_rows(group, alike, cleaned) for alike, group in tables.items() if isinstance(alike, tuple)]
        database.execute(f"CREATE OR REPLACE VIEW closes AS {' UNION ALL BY NAME '.join(parsed + given)}")
        database.execute(f"""
            CREATE OR REPLACE TABLE ids AS
            SELECT unique_id, hash(unique_id) AS hash, max(ds) FILTER (ds <= DATE '{as_of}') AS last,
                count(*) FILTER (ds <= DATE '{as_of}' OR ds IS NULL) AS rows, count(*) - count(ds) AS undated
            FROM closes GROUP BY unique_id""")
        if not number(database, f"SELECT count(*) FROM ids WHERE {NEEDS_CLEANING}"):
            break


def number(database: duckdb.DuckDBPyConnection, query: str) -> int:
    """The one number that a query answers; none at all is 0."""
    [(found,)] = database.execute(query).fetchall()
    return int(found or 0)


def last_days(database: duckdb.DuckDBPyConnection) -> list[tuple[datetime.date, int]]:
    """The last days of the series, and how many series each is the last day of."""
    return database.execute("SELECT last, count(*) FROM ids WHERE last IS NOT NULL GROUP BY last").fetchall()
