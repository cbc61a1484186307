"""Of every series its last closes up to a day, and what is wrong with them: the table `series`, in SQL.

The last `window` rows decide, as the model reads them alone; a row without a day has no place among them and is held
against its series wherever it stood. So what a plan hands on is bounded by the series, however long their history.
"""

from __future__ import annotations

import datetime

import duckdb
import numpy as np

EPOCH = "DATE '1970-01-01'"

# Two heaps of `window` rows a series: a quarter of the time of ordered lists. Newest first; of the rows of one day any.
_CUT = """
    CREATE OR REPLACE TABLE series AS
    SELECT unique_id, count(ds) AS rows, coalesce(max(ds, {window}), []) AS days,
        coalesce(arg_max(y, ds, {window}), []) AS closes, CAST(NULL AS VARCHAR) AS fault
    FROM closes
    WHERE (ds <= DATE '{as_of}' OR ds IS NULL){slice} GROUP BY unique_id
    UNION ALL
    SELECT unique_id, 0, [], [], NULL FROM ids WHERE rows = 0{slice}"""
# A day given twice at one price counts once; at two prices it is a fault.
_MERGE = """
    CREATE OR REPLACE TEMP TABLE merged AS
    WITH day AS (
        SELECT unique_id, ds, list(DISTINCT y ORDER BY y) AS prices
        FROM closes SEMI JOIN (SELECT unique_id FROM series WHERE rowid IN (SELECT unnest($at))) USING (unique_id)
        WHERE ds <= DATE '{as_of}' GROUP BY unique_id, ds
    ), last AS (
        SELECT unique_id, count(*) AS rows, max(ds, {window}) AS days, arg_max(prices[1], ds, {window}) AS closes
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
        SELECT unique_id, arg_min(closes.fault, coalesce(ds, DATE '0001-01-01')) AS fault
        FROM closes JOIN (SELECT unique_id, days FROM series) USING (unique_id)
        WHERE closes.fault IS NOT NULL AND (ds IS NULL OR ds BETWEEN days[-1] AND DATE '{as_of}') GROUP BY unique_id
    ) AS found WHERE series.unique_id = found.unique_id"""


def cut(
    database: duckdb.DuckDBPyConnection, window: int, as_of: datetime.date, with_faults: bool, part: tuple[int, int]
) -> None:
    """Make the table `series`: unique_id, rows (up to the day), days and closes (newest first), fault (kind: words).

    It is made of the view `closes` and the table `ids`; `part` (k, n) takes those series alone whose hash is k modulo
    n, a power of two.
    """
    number, parts = part
    wanted = f" AND hash(unique_id) & {parts - 1} = {number}" if parts > 1 else ""
    database.execute(_CUT.format(window=window, as_of=as_of, slice=wanted))
    if repeated := _repeated(database):
        database.execute(_MERGE.format(window=window, as_of=as_of), {"at": repeated})
        database.execute(_TAKE_MERGED)
    if with_faults:
        database.execute(_TAKE_FAULTS.format(as_of=as_of))


def _repeated(database: duckdb.DuckDBPyConnection) -> list[int]:
    """The row numbers of `series` that have a day twice among their last ones."""
    lengths = np.asarray(database.execute("SELECT len(days) AS n FROM series").fetchnumpy()["n"])
    days = np.asarray(database.execute(f"SELECT unnest(days) - {EPOCH} AS day FROM series").fetchnumpy()["day"])
    again = np.flatnonzero(days[1:] == days[:-1]) + 1  # the later of two equal neighbours
    ends = np.cumsum(lengths)
    owners = np.searchsorted(ends, again, side="right")
    found = owners[again != ends[owners] - lengths[owners]]  # a first day has its neighbour in another series
    return [int(row) for row in np.unique(found)]
