"""Step 2 of a batch run: forecast the series of one shard. Many of these run at once, on Lambda or here.

A shard run twice, by two workers at once, or killed at any point and run again gives the same files: they are written
once, each whole, and the mark that it is done comes last.
"""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lambda_fn.batch.database import one_thread
from lambda_fn.batch.earlier_runs import score_shard
from lambda_fn.batch.errors import ModelReplaced, ShardDamaged
from lambda_fn.batch.records import SCHEMA_VERSION, Place, Plan, ShardDone, decode, read_plan
from lambda_fn.batch.served_model import forecaster, sessions
from lambda_fn.batch.shard_reader import EPOCH, FORECAST, ShardTable, open_shard, windows
from lambda_fn.model.forecaster import Array, Forecaster
from lambda_fn.tables.sql import quote
from lambda_fn.tables.store import Store, scratch, sha256_of
from lambda_fn.telemetry import logger

WINDOWS_PER_RUN = 48  # of the graph: the fastest (`make bench-large` tries others)
UNDATED = -(2**31)  # stands for no day in an array of days


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Forecast the shard that `event` names: {"place": …, "shard": 3}."""
    done = forecast_shard(msgspec.convert(event["place"], Place), event["shard"])
    logger.info("shard", shard=done.number, counts=done.counts, seconds=done.seconds)
    return {"shard": done.number, "counts": done.counts}


def forecast_shard(place: Place, number: int) -> ShardDone:
    """Write the two parts of a shard and the mark that it is done, unless it is; returns the mark.

    Raises `ModelReplaced` when the run was planned for another model than this process serves, `ShardDamaged` when
    the shard is gone or can't be read, or what a store raises.
    """
    store, done_key = place.out_store(), place.done_key(number)
    if (content := store.read(done_key)) is not None:
        return decode(content, ShardDone, f"{place.out}/{done_key}")
    plan, model = read_plan(place, store), forecaster()
    if model.model_digest != plan.model_digest:
        raise ModelReplaced(
            f"run {place.as_of}/{place.run} was planned for model {plan.model_digest}, and this worker serves "
            f"{model.model_digest}; start the run again"
        )
    stopwatch = _Stopwatch()
    with scratch() as folder, one_thread() as database:
        path = place.work_store().fetch(place.shard_key(number), folder)
        if path is None:
            raise ShardDamaged(f"{place.work}/{place.shard_key(number)}: the shard is gone; start the run again")
        shard = open_shard(database, path, plan)
        closes, cutoffs = windows(shard, plan.window)
        stopwatch.lap("reading")
        quantiles = forecast_windows(model, closes)
        stopwatch.lap("inference")
        forecasts, status = folder / "forecasts.parquet", folder / "status.parquet"
        write_forecasts(shard, model, plan, quantiles, cutoffs, forecasts)
        write_status(shard, plan, status)
        counts = status_counts(shard)
        forecasts_sha256 = _put_once(store, place.part_key("forecasts", number), forecasts, folder)
        status_sha256 = _put_once(store, place.part_key("status", number), status, folder)
        stopwatch.lap("writing")
        scores = score_shard(shard, plan, place, number, folder)
        stopwatch.lap("scoring")
    done = ShardDone(
        number, plan.model_digest, forecasts_sha256, status_sha256, counts, scores, stopwatch.seconds
    )  # fmt: skip
    store.put_new(done_key, msgspec.json.encode(done))
    return done


def forecast_windows(model: Forecaster, closes: Array) -> Array:
    """Run the model on closes (series, window): price quantiles (series, horizon, quantiles), in blocks of one size.

    The last block is filled up with its own last row: so the numbers of a series do not depend on how many others
    there are, to the last bit.
    """
    manifest = model.manifest
    quantiles = np.empty((len(closes), manifest.horizon, len(manifest.quantiles)))
    for start in range(0, len(closes), WINDOWS_PER_RUN):
        block = closes[start : start + WINDOWS_PER_RUN]
        short = WINDOWS_PER_RUN - len(block)
        if short:
            block = np.concatenate([block, np.repeat(block[-1:], short, axis=0)])  # (WINDOWS_PER_RUN, window)
        quantiles[start : start + WINDOWS_PER_RUN] = model.quantiles(block)[: len(block) - short]
    return quantiles


def write_forecasts(
    shard: ShardTable,
    model: Forecaster,
    plan: Plan,
    quantiles: Array,  # (series, horizon, quantiles), of the shard's FORECAST series in its order
    cutoffs: NDArray[np.int64],  # (series,) days since 1970
    path: Path,
) -> None:
    """Write the forecasts part as Parquet: a row for each series and step, by these.

    Columns: unique_id VARCHAR, ds DATE (NULL beyond the calendar), cutoff DATE, step INTEGER from 1, then prices, each
    DOUBLE: efemera (the median), efemera-lo-LEVEL from the widest interval to the narrowest, efemera-hi-LEVEL back.
    """
    lows = {f"efemera-lo-{level:g}": low for level, (low, _) in model.intervals.items()}  # widest first
    highs = {f"efemera-hi-{level:g}": high for level, (_, high) in reversed(model.intervals.items())}
    positions = {"efemera": model.median_index, **lows, **highs}
    rows = quantiles.reshape(-1, quantiles.shape[-1])  # (series × horizon, quantiles)
    prices: dict[str, Any] = {name: np.ascontiguousarray(rows[:, place]) for name, place in positions.items()}
    days = _step_days(plan, cutoffs, quantiles.shape[1]).ravel()
    shard.database.register("steps", {"day": days, **prices})
    columns = ", ".join(quote(name, '"') for name in positions)
    query = f"""
        SELECT unique_id, {EPOCH} + nullif(day, {UNDATED}) AS ds, cutoff, step, {columns}
        FROM (
            SELECT unique_id, cutoff, CAST(unnest(range(1, {quantiles.shape[1] + 1})) AS INTEGER) AS step
            FROM {shard.name} WHERE status = '{FORECAST}'
        ) POSITIONAL JOIN steps ORDER BY unique_id, step"""
    shard.database.execute(_copy(query, plan, path))
    shard.database.unregister("steps")


def write_status(shard: ShardTable, plan: Plan, path: Path) -> None:
    """Write the status part as Parquet: unique_id, cutoff, last_price, status, reason (see `SHARD_COLUMNS`), by id."""
    query = f"SELECT unique_id, cutoff, last_price, status, reason FROM {shard.name} ORDER BY unique_id"
    shard.database.execute(_copy(query, plan, path))


def status_counts(shard: ShardTable) -> dict[str, int]:
    """Count the series of each status, by its name."""
    query = f"SELECT status, count(*) FROM {shard.name} GROUP BY ALL ORDER BY ALL"
    return dict(shard.database.execute(query).fetchall())


def _copy(query: str, plan: Plan, path: Path) -> str:
    """Build the COPY of a query to Parquet, with the model and the run in the file's own metadata."""
    metadata = {
        "efemera.schema_version": str(SCHEMA_VERSION),
        "efemera.model_version": plan.model_version,
        "efemera.model_digest": plan.model_digest,
        "efemera.input_digest": plan.input_digest,
        "efemera.as_of": plan.as_of,
    }
    pairs = ", ".join(f"{quote(name, chr(34))}: {quote(value, chr(39))}" for name, value in metadata.items())
    return (
        f"COPY ({query}) TO {quote(str(path), chr(39))} (FORMAT parquet, COMPRESSION snappy, KV_METADATA {{{pairs}}})"
    )


def _step_days(plan: Plan, cutoffs: NDArray[np.int64], horizon: int) -> NDArray[np.int32]:
    """Date each step, in days since 1970, `UNDATED` where the calendar does not reach: (series, horizon)."""
    distinct, positions = np.unique(cutoffs, return_inverse=True)
    days = np.full((len(distinct), horizon), UNDATED, np.int32)
    for row, cutoff in enumerate(distinct):
        last = datetime.date(1970, 1, 1) + datetime.timedelta(int(cutoff))
        for step, day in enumerate(sessions().after(plan.calendar, last, horizon)):
            if day is not None:
                days[row, step] = (datetime.date.fromisoformat(day) - datetime.date(1970, 1, 1)).days
    return days[positions]


def _put_once(store: Store, key: str, path: Path, folder: Path) -> str:
    """Put a file where none is; return the SHA-256 of what stands there then, this worker's or another's."""
    digest = sha256_of(path)
    if not store.put_new(key, path):
        existing = store.fetch(key, folder / "existing")
        assert existing is not None, key
        digest = sha256_of(existing)
    return digest


class _Stopwatch:
    """Seconds of each part of the work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._last, 4)
        self._last = now
