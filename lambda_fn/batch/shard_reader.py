"""What a shard holds of each series, and whether and why it can't be forecast."""

from __future__ import annotations

import datetime
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from lambda_fn.batch.last_closes import EPOCH
from lambda_fn.batch.run_records import Plan, ShardDamaged, sessions
from lambda_fn.model.forecaster import Array
from lambda_fn.tables.sql import path_literal

FORECAST = "forecast"  # the status of a series that has one

_OPEN = """
    CREATE TEMP TABLE series AS
    SELECT unique_id, days, closes, days[1] AS cutoff, CASE WHEN NOT isnan(closes[1]) THEN closes[1] END AS last_price,
        CASE WHEN fault IS NOT NULL THEN split_part(fault, ': ', 1)
            WHEN rows < {window} THEN 'too short'
            WHEN days[1] < DATE '{oldest}' THEN 'stale'
            ELSE '{forecast}' END AS status,
        CASE status
            WHEN '{forecast}' THEN NULL
            WHEN 'too short' THEN rows || ' closes up to {as_of}; {window} are needed'
            WHEN 'stale' THEN 'last close on ' || days[1] || ', more than {stale_after} sessions before {as_of}'
            ELSE fault[strpos(fault, ': ') + 2:] END AS reason
    FROM read_parquet({path}, hive_partitioning = false)"""


def open_shard(database: duckdb.DuckDBPyConnection, path: Path, plan: Plan) -> None:
    """Make the table `series`: days and closes (newest first), cutoff, last_price, status and reason of each.

    Raises `ShardDamaged` when the file can't be read.
    """
    try:
        database.execute(
            _OPEN.format(
                path=path_literal(path), forecast=FORECAST, window=plan.window, as_of=plan.as_of,
                stale_after=plan.stale_after, oldest=_oldest(plan),
            )
        )  # fmt: skip
    except duckdb.Error as error:
        raise ShardDamaged(f"{path.name}: the shard can't be read ({str(error).splitlines()[0]})") from None


def windows(database: duckdb.DuckDBPyConnection, window: int) -> tuple[Array, NDArray[np.int64]]:
    """Of the series that can be forecast: closes (series, window), oldest first, and cutoffs in days since 1970."""
    query = f"FROM series WHERE status = '{FORECAST}'"
    closes = database.execute(f"SELECT unnest(list_reverse(closes)) AS y {query}").fetchnumpy()["y"]
    cutoffs = database.execute(f"SELECT cutoff - {EPOCH} AS day {query}").fetchnumpy()["day"]
    return np.asarray(closes, np.float64).reshape(-1, window), np.asarray(cutoffs, np.int64)


def _oldest(plan: Plan) -> datetime.date:
    """The earliest day that is no more than `stale_after` sessions before the run's."""
    as_of = day = datetime.date.fromisoformat(plan.as_of)
    while True:
        before = day - datetime.timedelta(1)
        if sessions().between(plan.calendar, before, as_of) > plan.stale_after:
            return day
        day = before
