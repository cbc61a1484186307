"""Read a shard: each series with its last closes, and whether and why it can't be forecast."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from lambda_fn.batch.errors import ShardDamaged
from lambda_fn.batch.records import Plan
from lambda_fn.batch.served_model import sessions
from lambda_fn.model.forecaster import Array
from lambda_fn.tables.sql import path_literal

EPOCH = "DATE '1970-01-01'"
FORECAST = "forecast"  # the status of a series that has one

SHARD_COLUMNS = {  # of a `ShardTable`
    "unique_id": "VARCHAR",
    "days": "DATE[]",  # newest first
    "closes": "DOUBLE[]",  # of these days; NaN where the input holds no price
    "cutoff": "DATE",  # the newest day
    "last_price": "DOUBLE",  # its close; NULL where that is no price
    "status": "VARCHAR",  # FORECAST, 'too short', 'stale' or the kind of a fault
    "reason": "VARCHAR",  # why it can't be forecast; NULL where it can
}
_OPEN = """
    CREATE TEMP TABLE {name} AS
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


class ShardTable(NamedTuple):
    """Temporary table of `SHARD_COLUMNS` in a DuckDB connection, a row for each series of a shard."""

    database: duckdb.DuckDBPyConnection
    name: str  # in SQL


def open_shard(database: duckdb.DuckDBPyConnection, path: Path, plan: Plan) -> ShardTable:
    """Load a shard file (see `shard_writer`) into a table. Raises `ShardDamaged` when the file can't be read."""
    shard = ShardTable(database, "shard_series")
    try:
        database.execute(
            _OPEN.format(
                name=shard.name, path=path_literal(path), forecast=FORECAST, window=plan.window, as_of=plan.as_of,
                stale_after=plan.stale_after, oldest=_oldest_cutoff(plan),
            )
        )  # fmt: skip
    except duckdb.Error as error:
        raise ShardDamaged(f"{path.name}: the shard can't be read ({str(error).splitlines()[0]})") from None
    return shard


def windows(shard: ShardTable, window: int) -> tuple[Array, NDArray[np.int64]]:
    """Return closes (series, window), oldest first, and cutoffs (series,) in days since 1970, of FORECAST series.

    They stand in the order of the shard's rows.
    """
    good = f"FROM {shard.name} WHERE status = '{FORECAST}'"
    closes = shard.database.execute(f"SELECT unnest(list_reverse(closes)) AS y {good}").fetchnumpy()["y"]
    cutoffs = shard.database.execute(f"SELECT cutoff - {EPOCH} AS day {good}").fetchnumpy()["day"]
    return np.asarray(closes, np.float64).reshape(-1, window), np.asarray(cutoffs, np.int64)


def _oldest_cutoff(plan: Plan) -> datetime.date:
    """Return the earliest day that is no more than `stale_after` sessions before the run's."""
    as_of = day = datetime.date.fromisoformat(plan.as_of)
    while True:
        before = day - datetime.timedelta(1)
        if sessions().between(plan.calendar, before, as_of) > plan.stale_after:
            return day
        day = before
