"""What a shard holds of each series: its last closes, and whether and why it can't be forecast. All of it in SQL.

The last `window` rows up to the day decide, as they alone are read by the model; a row without a day has no place
among them and is held against its series wherever it stood.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from lambda_fn.batch_run import Plan, ShardDamaged, sessions
from lambda_fn.forecaster import Array
from lambda_fn.input_rows import quote

FORECAST = "forecast"  # the status of a series that has one
EPOCH = "DATE '1970-01-01'"

# Two heaps of `window` rows a series: a quarter of the time of ordered lists. Newest first; of the rows of one day any.
_LAST_CLOSES = """
    CREATE TEMP TABLE series AS
    SELECT unique_id, count(ds) AS rows, count(fault) FILTER (ds IS NULL) > 0 AS undated,
        coalesce(max(ds, {window}), []) AS days, coalesce(arg_max(y, ds, {window}), []) AS closes,
        CAST(NULL AS VARCHAR) AS conflict
    FROM closes GROUP BY unique_id ORDER BY unique_id"""
# A day given twice at one price counts once; at two prices it is a conflict.
_MERGE = """
    CREATE OR REPLACE TEMP TABLE series AS
    WITH day AS (
        SELECT unique_id, ds, list(DISTINCT y ORDER BY y) AS prices
        FROM closes SEMI JOIN (SELECT unique_id FROM series WHERE rowid IN (SELECT unnest($at))) USING (unique_id)
        WHERE ds IS NOT NULL GROUP BY unique_id, ds
    ), merged AS (
        SELECT unique_id, count(*) AS rows, max(ds, {window}) AS days, arg_max(prices[1], ds, {window}) AS closes
        FROM day GROUP BY unique_id
    ), torn AS (
        SELECT unique_id, arg_min('closes of ' || prices[1] || ' and ' || prices[2] || ' on ' || ds, ds) AS conflict
        FROM day JOIN merged USING (unique_id) WHERE len(prices) > 1 AND ds >= merged.days[-1] GROUP BY unique_id
    )
    SELECT unique_id, coalesce(merged.rows, series.rows) AS rows, undated,
        coalesce(merged.days, series.days) AS days, coalesce(merged.closes, series.closes) AS closes, torn.conflict
    FROM series LEFT JOIN merged USING (unique_id) LEFT JOIN torn USING (unique_id) ORDER BY unique_id"""
_JUDGE = """
    CREATE TEMP TABLE judged AS
    WITH fault AS (
        SELECT unique_id, arg_min(fault, coalesce(ds, DATE '0001-01-01')) AS fault
        FROM closes JOIN (
            SELECT unique_id, days FROM series WHERE undated OR list_contains(closes, CAST('NaN' AS DOUBLE))
        ) USING (unique_id)
        WHERE fault IS NOT NULL AND (ds IS NULL OR ds >= days[-1]) GROUP BY unique_id
    )
    SELECT unique_id, days[1] AS cutoff, CASE WHEN NOT isnan(closes[1]) THEN closes[1] END AS last_price, closes,
        CASE WHEN fault IS NOT NULL THEN split_part(fault, ': ', 1)
            WHEN conflict IS NOT NULL THEN 'duplicate date'
            WHEN len(days) < {window} THEN 'too short'
            WHEN days[1] < DATE '{oldest}' THEN 'stale'
            ELSE '{forecast}' END AS status,
        CASE status
            WHEN '{forecast}' THEN NULL
            WHEN 'duplicate date' THEN conflict
            WHEN 'too short' THEN rows || ' closes up to {as_of}; {window} are needed'
            WHEN 'stale' THEN 'last close on ' || days[1] || ', more than {stale_after} sessions before {as_of}'
            ELSE fault[strpos(fault, ': ') + 2:] END AS reason
    FROM series LEFT JOIN fault USING (unique_id) ORDER BY unique_id"""


def cut(database: duckdb.DuckDBPyConnection, path: Path, plan: Plan) -> None:
    """Make the tables `series` (days and closes, newest first) and `judged` (status and reason), by unique_id.

    Raises `ShardDamaged` when the file can't be read.
    """
    database.execute(f"CREATE VIEW closes AS SELECT * FROM read_parquet({quote(str(path), chr(39))})")
    window = plan.window
    try:
        database.execute(_LAST_CLOSES.format(window=window))
        repeated = _repeated(database)
        if len(repeated):
            database.execute(_MERGE.format(window=window), {"at": repeated.tolist()})
        database.execute(
            _JUDGE.format(
                window=window, forecast=FORECAST, as_of=plan.as_of, stale_after=plan.stale_after, oldest=_oldest(plan)
            )
        )
    except duckdb.Error as error:
        raise ShardDamaged(f"{path.name}: the shard can't be read ({str(error).splitlines()[0]})") from None


def windows(database: duckdb.DuckDBPyConnection, window: int) -> tuple[Array, NDArray[np.int64]]:
    """Of the series that can be forecast: closes (series, window), oldest first, and cutoffs in days since 1970."""
    query = f"FROM judged WHERE status = '{FORECAST}' ORDER BY unique_id"
    closes = database.execute(f"SELECT unnest(list_reverse(closes)) AS y {query}").fetchnumpy()["y"]
    cutoffs = database.execute(f"SELECT cutoff - {EPOCH} AS day {query}").fetchnumpy()["day"]
    return np.asarray(closes, np.float64).reshape(-1, window), np.asarray(cutoffs, np.int64)


def _repeated(database: duckdb.DuckDBPyConnection) -> NDArray[np.int64]:
    """The row numbers of `series` that have a day twice among their last ones."""
    found = database.execute(f"SELECT rowid AS at, unnest(days) - {EPOCH} AS day FROM series").fetchnumpy()
    at, day = np.asarray(found["at"]), np.asarray(found["day"])
    again = (at[1:] == at[:-1]) & (day[1:] == day[:-1])
    return np.unique(at[1:][again])


def _oldest(plan: Plan) -> datetime.date:
    """The earliest day that is no more than `stale_after` sessions before the run's."""
    as_of = day = datetime.date.fromisoformat(plan.as_of)
    while True:
        before = day - datetime.timedelta(1)
        if sessions().between(plan.calendar, before, as_of) > plan.stale_after:
            return day
        day = before
