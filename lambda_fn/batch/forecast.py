"""The second step of a batch run: forecasts the series of one shard. Many of these run at once, on Lambda or here.

A shard run twice, by two workers at once, or killed at any point and run again gives the same files: they are written
once, each whole, and the mark that it is done comes last.
"""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np

from lambda_fn.batch.last_closes import EPOCH
from lambda_fn.batch.run_records import (
    SCHEMA_VERSION,
    Done,
    ModelReplaced,
    Place,
    Plan,
    ShardDamaged,
    decode,
    forecaster,
    one_thread,
    read_plan,
    sessions,
)
from lambda_fn.batch.scoring import score
from lambda_fn.batch.shard_reader import FORECAST, open_shard, windows
from lambda_fn.model.forecaster import Array, Forecaster
from lambda_fn.tables.sql import quote
from lambda_fn.tables.store import Store, scratch, sha256_of
from lambda_fn.telemetry import logger

BLOCK = 48  # windows in one run of the graph: the fastest (`make bench-large` tries others)
UNDATED = -(2**31)  # stands for no day in an array of days


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Forecast the shard that `event` names: {"place": …, "shard": 3}."""
    done = forecast_shard(msgspec.convert(event["place"], Place), event["shard"])
    logger.info("shard", shard=done.number, counts=done.counts, seconds=done.seconds)
    return {"shard": done.number, "counts": done.counts}


def forecast_shard(place: Place, number: int) -> Done:
    """Write the two parts of a shard and the mark that it is done, unless it is; returns the mark.

    Raises `ModelReplaced` when the run was planned for another model than this process serves, `ShardDamaged` when
    the shard is gone or can't be read, or what a store raises.
    """
    store = place.out_store()
    if (content := store.read(place.done(number))) is not None:
        return decode(content, Done, f"{place.out}/{place.done(number)}")
    plan, model = read_plan(place, store), forecaster()
    if model.model_digest != plan.model_digest:
        raise ModelReplaced(
            f"run {place.as_of}/{place.run} was planned for model {plan.model_digest}, and this worker serves "
            f"{model.model_digest}; start the run again"
        )
    clock = _Clock()
    with scratch() as folder, one_thread() as database:
        path = place.work_store().fetch(place.shard(number), folder)
        if path is None:
            raise ShardDamaged(f"{place.work}/{place.shard(number)}: the shard is gone; start the run again")
        open_shard(database, path, plan)
        closes, cutoffs = windows(database, plan.window)
        clock.ends("reading")
        quantiles = forecast(model, closes)
        clock.ends("inference")
        _make_forecasts(database, model, plan, quantiles, cutoffs)
        made = {
            "forecasts": _write(database, "forecasts", plan, folder / "forecasts.parquet"),
            "status": _write(database, "status", plan, folder / "status.parquet"),
        }
        counts = dict(database.execute("SELECT status, count(*) FROM series GROUP BY ALL ORDER BY ALL").fetchall())
        digests = {name: _put_once(store, place.table(name, number), file, folder) for name, file in made.items()}
        clock.ends("writing")
        scores = score(database, plan, place, number, folder)
        clock.ends("scoring")
    done = Done(
        number, plan.model_digest, digests["forecasts"], digests["status"], counts, scores, clock.seconds
    )  # fmt: skip
    store.put_new(place.done(number), msgspec.json.encode(done))
    return done


def forecast(model: Forecaster, closes: Array) -> Array:
    """Closes (series, window) → price quantiles (series, horizon, quantiles), in blocks of one size.

    The last block is filled up with its own last row: so the numbers of a series do not depend on how many others
    there are, to the last bit.
    """
    manifest = model.manifest
    found = np.empty((len(closes), manifest.horizon, len(manifest.quantiles)))
    for start in range(0, len(closes), BLOCK):
        block = closes[start : start + BLOCK]
        short = BLOCK - len(block)
        if short:
            block = np.concatenate([block, np.repeat(block[-1:], short, axis=0)])  # (BLOCK, window)
        found[start : start + BLOCK] = model.quantiles(block)[: len(block) - short]
    return found


class _Clock:
    """Where the time went."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def ends(self, what: str) -> None:
        now = time.perf_counter()
        self.seconds[what] = round(now - self._last, 4)
        self._last = now


def _make_forecasts(
    database: duckdb.DuckDBPyConnection, model: Forecaster, plan: Plan, quantiles: Array, cutoffs: Any
) -> None:
    """Make the views `forecasts` and `status`, the two tables of the output, by unique_id (and step)."""
    columns = {"efemera": model.median_index}
    for level, (low, high) in model.intervals.items():  # widest first
        columns[f"efemera-lo-{level:g}"] = low
        columns[f"efemera-hi-{level:g}"] = high
    rows = quantiles.reshape(-1, quantiles.shape[-1])  # (series × horizon, quantiles)
    made = {name: np.ascontiguousarray(rows[:, position]) for name, position in columns.items()}
    made["day"] = _days(plan, cutoffs, quantiles.shape[1]).ravel()
    database.register("made", made)
    lows = sorted((name for name in columns if "-lo-" in name), key=lambda name: columns[name])
    highs = sorted((name for name in columns if "-hi-" in name), key=lambda name: columns[name])
    select = ", ".join(quote(name, '"') for name in ("efemera", *lows, *highs))
    database.execute(f"""
        CREATE TEMP VIEW forecasts AS
        SELECT unique_id, {EPOCH} + nullif(day, {UNDATED}) AS ds, cutoff, step, {select}
        FROM (
            SELECT unique_id, cutoff, CAST(unnest(range(1, {quantiles.shape[1] + 1})) AS INTEGER) AS step
            FROM series WHERE status = '{FORECAST}'
        ) POSITIONAL JOIN made ORDER BY unique_id, step""")
    database.execute("""
        CREATE TEMP VIEW status AS
        SELECT unique_id, cutoff, last_price, status, reason FROM series ORDER BY unique_id""")


def _days(plan: Plan, cutoffs: Any, horizon: int) -> Any:
    """The day of each step since 1970, `UNDATED` where the calendar does not reach: (series, horizon) int32."""
    distinct, positions = np.unique(cutoffs, return_inverse=True)
    days = np.full((len(distinct), horizon), UNDATED, np.int32)
    for row, cutoff in enumerate(distinct):
        last = datetime.date(1970, 1, 1) + datetime.timedelta(int(cutoff))
        for step, day in enumerate(sessions().after(plan.calendar, last, horizon)):
            if day is not None:
                days[row, step] = (datetime.date.fromisoformat(day) - datetime.date(1970, 1, 1)).days
    return days[positions]


def _write(database: duckdb.DuckDBPyConnection, view: str, plan: Plan, path: Path) -> Path:
    """One table as Parquet; which model it is of stands in the file's own metadata."""
    told = {
        "efemera.schema_version": str(SCHEMA_VERSION),
        "efemera.model_version": plan.model_version,
        "efemera.model_digest": plan.model_digest,
        "efemera.input_digest": plan.input_digest,
        "efemera.as_of": plan.as_of,
    }
    metadata = ", ".join(f"{quote(name, chr(34))}: {quote(value, chr(39))}" for name, value in told.items())
    database.execute(
        f"COPY (FROM {view}) TO {quote(str(path), chr(39))} "
        f"(FORMAT parquet, COMPRESSION snappy, KV_METADATA {{{metadata}}})"
    )
    return path


def _put_once(store: Store, key: str, path: Path, folder: Path) -> str:
    """Put a file where none is; the SHA-256 of what stands there then, this worker's or another's."""
    digest = sha256_of(path)
    if not store.put_new(key, path):
        there = store.fetch(key, folder / "there")
        assert there is not None, key
        digest = sha256_of(there)
    return digest
