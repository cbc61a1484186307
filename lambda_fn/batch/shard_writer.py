"""Write the series of a plan as shards, by a hash of each id, and hand them to the workers.

A shard file is Parquet, a row for each series: unique_id VARCHAR, rows BIGINT (closes up to the day), days DATE[] and
closes DOUBLE[] (newest first; NaN where there is no price), fault VARCHAR (NULL, or its kind and words: `kind: words`).
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from lambda_fn.batch.earlier_runs import LOOK_BACK
from lambda_fn.batch.errors import BatchRefused
from lambda_fn.batch.last_closes import Closes, cut, number
from lambda_fn.batch.records import Place, Plan, Shard
from lambda_fn.tables.sql import quote

HASH = f"duckdb {duckdb.__version__}"  # its hash may be another in another version
FEWEST_SERIES = 256  # in a shard of many: with fewer, a shard costs more than its forecasts
SPREAD = 8  # shards of a middling table, so that every core has something to do
MOST_SHARDS = 1 << 14  # a Distributed Map takes more; their files would be tiny
SERIES_AT_ONCE = 250_000  # cut at a time: half a gigabyte
UPLOADS = 8  # at once


def choose_shards(database: duckdb.DuckDBPyConnection, closes: Closes, largest: int) -> tuple[int, list[Shard]]:
    """Choose the number of shards, a power of two that takes the hash of an id modulo it, and list those with a series.

    Raises `BatchRefused` where so many series can't be in shards of at most `largest`.
    """
    series = number(database, f"SELECT count(*) FROM {closes.ids}")
    wanted = max(series / largest, min(SPREAD, series / FEWEST_SERIES))
    count = 1
    while count <= MOST_SHARDS:
        if count >= wanted:
            groups = database.execute(f"""
                SELECT hash & {count - 1}, count(*), CAST(sum(hash) AS VARCHAR)
                FROM {closes.ids} GROUP BY ALL ORDER BY ALL""")
            shards = [Shard(*row) for row in groups.fetchall()]
            if max(shard.series for shard in shards) <= largest:
                return count, shards
        count *= 2
    raise BatchRefused(f"series_per_shard {largest} is too small for {series:,} series")


def write_shards(
    database: duckdb.DuckDBPyConnection, closes: Closes, folder: Path, as_of: datetime.date, plan: Plan
) -> None:
    """Write the shards of a plan into `folder`, each as shard=N/data_0.parquet.

    The series are cut in slices, by the low bits of the hash that makes the shards, so that their lists fit into
    memory; and DuckDB writes a table of lists in one thread, so each processor writes some of a slice's shards. The
    days are handed on as far back as an earlier forecast to be scored can have been made.
    """
    threads, slices = os.cpu_count() or 1, 1
    while slices < plan.shard_count and plan.series / slices > SERIES_AT_ONCE:
        slices *= 2
    first = min([earlier.as_of for earlier in plan.earlier], default=plan.as_of)
    days = min(plan.window, (as_of - datetime.date.fromisoformat(first)).days + 2 * plan.stale_after + LOOK_BACK)

    def write(series: str, turn: int) -> None:
        with database.cursor() as connection:
            connection.execute(f"""
                COPY (
                    SELECT unique_id, rows, days[:{days}] AS days, closes[:{plan.window}] AS closes, fault,
                        hash(unique_id) & {plan.shard_count - 1} AS shard
                    FROM {series} WHERE shard // {slices} % {threads} = {turn}
                ) TO {quote(str(folder), "'")}
                (FORMAT parquet, COMPRESSION uncompressed, PARTITION_BY (shard), APPEND)""")

    database.execute(f"SET partitioned_write_max_open_files = {plan.shard_count * threads + 1}")
    with ThreadPoolExecutor(threads) as pool:
        for part in range(slices):
            series = cut(database, closes, plan.window, as_of, (part, slices))
            list(pool.map(partial(write, series), range(threads)))


def put_shards(place: Place, shards: Sequence[Shard], folder: Path) -> None:
    """Put the shards into the work store, with the list of them that the Distributed Map reads."""
    store = place.work_store()

    def put(shard: Shard) -> None:
        [path] = (folder / f"shard={shard.number}").iterdir()
        store.put(place.shard_key(shard.number), path)

    with ThreadPoolExecutor(UPLOADS) as pool:
        list(pool.map(put, shards))
    items = [{"shard": shard.number} for shard in shards]
    store.put(place.shard_list_key, msgspec.json.encode(items))
