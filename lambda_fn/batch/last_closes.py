"""The last closes of every series of a batch run up to its day, and what is wrong with them, in SQL.

The last `window` rows decide, as the model reads them alone; a row without a day has no place among them and is held
against its series wherever it stood. So what a plan hands on is bounded by the series, however long their history.
One bad row costs one series its forecast, and no one else.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from lambda_fn.tables.layouts import Columns
from lambda_fn.tables.price_files import PriceFile
from lambda_fn.tables.price_rows import HIGHEST, LOWEST, MACROS, Types, read_layout, typed_rows
from lambda_fn.tables.sql import quote

NO_NAME = "(no unique_id)"  # stands for the series of rows that name none


class Closes(NamedTuple):
    """Names of the two tables of all closes of a run's input, in the run's DuckDB."""

    rows: str
    """A view, row by row: unique_id VARCHAR, ds DATE (NULL: a bad date), y DOUBLE (NaN: a bad price), fault VARCHAR
    (NULL: none; else the series' status, a colon and the reason)."""
    ids: str
    """A table, series by series: unique_id VARCHAR, hash UBIGINT; of the rows up to the day last DATE (NULL: none) and
    rows BIGINT, those without a day among them; undated BIGINT, rows without a day."""


# The status of a series that a bad row decides, and the reason, by the field at fault.
_ROWS = f"""
    SELECT {{unique_id}} AS unique_id, ds, CASE WHEN fault IS NULL THEN y ELSE 'NaN' END AS y, CASE fault.field
        WHEN 'width' THEN 'bad row: ' || fault.value || ' fields where the header has {{width}}, ds ' || shown(raw_ds)
            || ' in ' || file
        WHEN 'unique_id' THEN 'no name: a row' || coalesce(' of ' || ds, '') || ' in ' || file || ' has no unique_id'
        WHEN 'ds' THEN 'bad date: ds ' || shown(raw_ds) || ' in ' || file || ' is no day (YYYY-MM-DD)'
        WHEN 'y' THEN 'bad price: y ' || shown(fault.value) || ' on ' || ds || ' in ' || file
            || ' is no price between {LOWEST} and {HIGHEST}'
        END AS fault
    FROM ({{rows}}) WHERE NOT holiday"""
_SHOWN = "CREATE MACRO shown(cell) AS '''' || coalesce(left(CAST(cell AS VARCHAR), 40), '') || ''''"
_NAMED = f"CASE unique_id WHEN '' THEN '{NO_NAME}' ELSE unique_id END"
# To clean ids costs every row its place in a dictionary of ids, a quarter of the time of a plan: only if one needs it.
_NEEDS_CLEANING = "unique_id IS NULL OR unique_id = '' OR bare(unique_id) <> unique_id"
_IDS = """
    CREATE OR REPLACE TABLE {ids} AS
    SELECT unique_id, hash(unique_id) AS hash, max(ds) FILTER (ds <= DATE '{as_of}') AS last,
        count(*) FILTER (ds <= DATE '{as_of}' OR ds IS NULL) AS rows, count(*) - count(ds) AS undated
    FROM {rows} GROUP BY unique_id"""

# Two heaps of rows a series: a quarter of the time of ordered lists. Newest first; of the rows of one day any. One row
# more than the window's: it may be a second one of the window's first day.
_CUT = """
    CREATE OR REPLACE TABLE {series} AS
    SELECT unique_id, count(ds) AS rows, coalesce(max(ds, {window} + 1), []) AS days,
        coalesce(arg_max(y, ds, {window} + 1), []) AS closes, CAST(NULL AS VARCHAR) AS fault
    FROM {rows}
    WHERE (ds <= DATE '{as_of}' OR ds IS NULL){slice} GROUP BY unique_id
    UNION ALL
    SELECT unique_id, 0, [], [], NULL FROM {ids} WHERE rows = 0{slice}"""
_REPEATED = """
    SELECT unique_id FROM (SELECT unique_id, unnest(days[:-2]) AS later, unnest(days[2:]) AS earlier FROM {series})
    WHERE later = earlier"""
_NOT_PRICED = "FROM {series} WHERE list_contains(closes, CAST('NaN' AS DOUBLE))"
_UNDATED = "FROM {ids} WHERE undated > 0"
# A day given twice at one price counts once; at two prices it is a fault.
_MERGE = """
    CREATE OR REPLACE TEMP TABLE merged AS
    WITH day AS (
        SELECT unique_id, ds, list(DISTINCT y ORDER BY y) AS prices
        FROM {rows} SEMI JOIN ({repeated}) USING (unique_id)
        WHERE ds <= DATE '{as_of}' GROUP BY unique_id, ds
    ), last AS (
        SELECT unique_id, count(*) AS rows, max(ds, {window}) AS days,
            arg_max(prices[-1], ds, {window}) AS closes -- NaN is last
        FROM day GROUP BY unique_id
    ), torn AS (
        SELECT unique_id,
            arg_min('duplicate date: ' || ds || ' has closes of ' || prices[1] || ' and ' || prices[2], ds)
            AS fault
        FROM day JOIN last USING (unique_id) WHERE len(prices) > 1 AND ds >= days[-1] GROUP BY unique_id
    )
    FROM last LEFT JOIN torn USING (unique_id)"""
_TAKE_MERGED = """
    UPDATE {series} AS series SET rows = merged.rows, days = merged.days, closes = merged.closes, fault = merged.fault
    FROM merged WHERE series.unique_id = merged.unique_id"""
_TAKE_FAULTS = """
    UPDATE {series} AS series SET fault = earliest.fault FROM (
        SELECT unique_id, arg_min(row.fault, (coalesce(ds, DATE '0001-01-01'), row.fault)) AS fault
        FROM {rows} AS row
        JOIN (SELECT unique_id, coalesce(days[{window}], days[-1]) AS first FROM {series}) USING (unique_id)
        WHERE row.fault IS NOT NULL AND (ds IS NULL OR ds BETWEEN first AND DATE '{as_of}') GROUP BY unique_id
    ) AS earliest WHERE series.unique_id = earliest.unique_id"""


def read_closes(
    database: duckdb.DuckDBPyConnection, files: Sequence[PriceFile], folder: Path, as_of: datetime.date
) -> Closes:
    """Make the tables of all closes of these files.

    CSV is parsed once, into a Parquet file of our own in `folder`. Raises `InputRefused` for a layout that is not
    known, and what DuckDB raises for a file it can't read.
    """
    closes = Closes("closes", "ids")
    database.execute(f"{MACROS}; {_SHOWN}")
    tables: dict[tuple[Columns, Types], list[PriceFile]] = {}
    for file in files:
        layouts, types = read_layout(database, file)
        for columns in layouts:
            tables.setdefault((columns, types), []).append(file)
    parsed: list[str] = []
    for position, ((columns, types), group) in enumerate(tables.items()):
        if not types:
            path = quote(str(folder / f"parsed-{position}.parquet"), "'")
            database.execute(f"COPY ({_rows(group, columns, types)}) TO {path} (FORMAT parquet)")
            parsed.append(f"SELECT * FROM read_parquet({path}, hive_partitioning = false)")
    for clean_ids in (False, True):
        typed = [_rows(group, columns, types, clean_ids) for (columns, types), group in tables.items() if types]
        database.execute(f"CREATE OR REPLACE VIEW {closes.rows} AS {' UNION ALL BY NAME '.join(parsed + typed)}")
        database.execute(_IDS.format(rows=closes.rows, ids=closes.ids, as_of=as_of))
        if not number(database, f"SELECT count(*) FROM {closes.ids} WHERE {_NEEDS_CLEANING}"):
            break
    return closes


def last_days(database: duckdb.DuckDBPyConnection, closes: Closes) -> list[tuple[datetime.date, int]]:
    """The last days of the series, and how many series each is the last day of."""
    return database.execute(f"SELECT last, count(*) FROM {closes.ids} WHERE last IS NOT NULL GROUP BY last").fetchall()


def cut(
    database: duckdb.DuckDBPyConnection, closes: Closes, window: int, as_of: datetime.date, part: tuple[int, int]
) -> str:
    """Make the table of the last closes of each series and return its name.

    Its columns: unique_id VARCHAR, rows BIGINT (up to the day), days DATE[] and closes DOUBLE[] (newest first, and
    perhaps one more than the window's), fault VARCHAR (as in `Closes`). `part` (k, n) takes those series alone whose
    hash is k modulo n, a power of two.
    """
    number, parts = part
    names = {"rows": closes.rows, "ids": closes.ids, "series": "series", "window": window, "as_of": as_of}
    wanted = f" AND hash(unique_id) & {parts - 1} = {number}" if parts > 1 else ""
    database.execute(_CUT.format(**names, slice=wanted))
    repeated = _REPEATED.format(**names)
    if _any(database, repeated):
        database.execute(_MERGE.format(**names, repeated=repeated))
        database.execute(_TAKE_MERGED.format(**names))
    if _any(database, _NOT_PRICED.format(**names)) or _any(database, _UNDATED.format(**names)):
        database.execute(_TAKE_FAULTS.format(**names))
    return "series"


def number(database: duckdb.DuckDBPyConnection, query: str) -> int:
    """The one number that a query answers; none at all is 0."""
    [(answer,)] = database.execute(query).fetchall()
    return int(answer or 0)


def _rows(files: Sequence[PriceFile], columns: Columns, types: Types, clean_ids: bool = True) -> str:
    rows = typed_rows(files, columns, types, clean_ids=clean_ids)
    return _ROWS.format(unique_id=_NAMED if clean_ids else "unique_id", width=len(columns.header), rows=rows)


def _any(database: duckdb.DuckDBPyConnection, query: str) -> bool:
    return bool(database.execute(f"SELECT EXISTS ({query})").fetchall()[0][0])
