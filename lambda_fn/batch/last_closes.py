"""Of every series its last closes up to a day, and what is wrong with them: the table `series`, in SQL.

The last `window` rows decide, as the model reads them alone; a row without a day has no place among them and is held
against its series wherever it stood. So what a plan hands on is bounded by the series, however long their history.
"""

from __future__ import annotations

import datetime

import duckdb

# Two heaps of rows a series: a quarter of the time of ordered lists. Newest first; of the rows of one day any. One row
# more than the window's: it may be a second one of the window's first day.
_CUT = """
    CREATE OR REPLACE TABLE series AS
    SELECT unique_id, count(ds) AS rows, coalesce(max(ds, {window} + 1), []) AS days,
        coalesce(arg_max(y, ds, {window} + 1), []) AS closes, CAST(NULL AS VARCHAR) AS fault
    FROM closes
    WHERE (ds <= DATE '{as_of}' OR ds IS NULL){slice} GROUP BY unique_id
    UNION ALL
    SELECT unique_id, 0, [], [], NULL FROM ids WHERE rows = 0{slice}"""
_REPEATED = """
    SELECT unique_id FROM (SELECT unique_id, unnest(days[:-2]) AS later, unnest(days[2:]) AS earlier FROM series)
    WHERE later = earlier"""
_NOT_PRICED = "FROM series WHERE list_contains(closes, CAST('NaN' AS DOUBLE))"
_UNDATED = "FROM ids WHERE undated > 0"
# A day given twice at one price counts once; at two prices it is a fault.
_MERGE = """
    CREATE OR REPLACE TEMP TABLE merged AS
    WITH day AS (
        SELECT unique_id, ds, list(DISTINCT y ORDER BY y) AS prices
        FROM closes SEMI JOIN ({repeated}) USING (unique_id)
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
    UPDATE series SET rows = merged.rows, days = merged.days, closes = merged.closes, fault = merged.fault
    FROM merged WHERE series.unique_id = merged.unique_id"""
_TAKE_FAULTS = """
    UPDATE series SET fault = found.fault FROM (
        SELECT unique_id, arg_min(closes.fault, (coalesce(ds, DATE '0001-01-01'), closes.fault)) AS fault
        FROM closes JOIN (SELECT unique_id, coalesce(days[{window}], days[-1]) AS first FROM series) USING (unique_id)
        WHERE closes.fault IS NOT NULL AND (ds IS NULL OR ds BETWEEN first AND DATE '{as_of}') GROUP BY unique_id
    ) AS found WHERE series.unique_id = found.unique_id"""


def cut(database: duckdb.DuckDBPyConnection, window: int, as_of: datetime.date, part: tuple[int, int]) -> None:
    """Make the table `series`: unique_id, rows (up to the day), days and closes (newest first, and perhaps one more
    than the window's), fault (kind: words).

    It is made of the view `closes` and the table `ids`; `part` (k, n) takes those series alone whose hash is k modulo
    n, a power of two.
    """
    number, parts = part
    wanted = f" AND hash(unique_id) & {parts - 1} = {number}" if parts > 1 else ""
    database.execute(_CUT.format(window=window, as_of=as_of, slice=wanted))
    if _any(database, _REPEATED):
        database.execute(_MERGE.format(repeated=_REPEATED, window=window, as_of=as_of))
        database.execute(_TAKE_MERGED)
    if _any(database, _NOT_PRICED) or _any(database, _UNDATED):
        database.execute(_TAKE_FAULTS.format(window=window, as_of=as_of))


def _any(database: duckdb.DuckDBPyConnection, query: str) -> bool:
    return bool(database.execute(f"SELECT EXISTS ({query})").fetchall()[0][0])
