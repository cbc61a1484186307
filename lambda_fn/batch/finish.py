"""Step 3 of a batch run: prove that every series came out exactly once, write the evening's scores, sign the run.

`_SUCCESS.json` is the last file; a run without it is not there. What is wrong stops the run before that, by name.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from lambda_fn.batch import cloudwatch_metrics
from lambda_fn.batch.database import one_thread
from lambda_fn.batch.errors import BatchRefused, Incomplete
from lambda_fn.batch.records import SCHEMA_VERSION, Place, Plan, Score, Shard, ShardDone, Success, decode, read_plan
from lambda_fn.batch.score_table import read_scores, write_scores
from lambda_fn.batch.served_model import model_digest, models_folder
from lambda_fn.batch.shard_reader import FORECAST
from lambda_fn.model.manifest import read_verdict
from lambda_fn.tables.sql import path_literal
from lambda_fn.tables.store import Store, scratch, sha256_of

DOWNLOADS = 8  # at once

_PROOF = f""" -- of one shard's parts: rows, series, sum of id hashes, series of other shards, partial, undue, unknown
    WITH forecasts AS (
        SELECT unique_id, count(*) AS rows, min(step) AS first, max(step) AS last,
            bit_count(bitstring_agg(greatest(1, least(step, {{horizon}})), 1, {{horizon}})) AS steps -- distinct ones
        FROM read_parquet({{forecasts}}, hive_partitioning = false) GROUP BY unique_id
    ), status AS (FROM read_parquet({{status}}, hive_partitioning = false))
    SELECT count(*), count(DISTINCT unique_id), coalesce(CAST(sum(hash(unique_id)) AS VARCHAR), '0'),
        count(*) FILTER (hash(unique_id) & {{mask}} <> {{number}}),
        count(*) FILTER (status.status = '{FORECAST}'
            AND (rows, steps, first, last) IS DISTINCT FROM ({{horizon}}, {{horizon}}, 1, {{horizon}})),
        count(*) FILTER (status.status <> '{FORECAST}' AND rows IS NOT NULL),
        (SELECT count(*) FROM forecasts ANTI JOIN status USING (unique_id))
    FROM status LEFT JOIN forecasts USING (unique_id)"""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Finish the run that `event` names: {"place": …}."""
    place = msgspec.convert(event["place"], Place)
    success = finish(place)
    cloudwatch_metrics.write(success, read_scores(place.out_store(), place.as_of))
    output: dict[str, Any] = msgspec.to_builtins(success)
    return output


def finish(place: Place) -> Success:
    """Prove the run whole, write the scores and `_SUCCESS.json`; a second time do nothing.

    Raises `Incomplete` naming the shards that are not done or not whole, `BatchRefused`, or what a store raises.
    """
    store = place.out_store()
    if (content := store.read(place.success_key)) is not None:
        return decode(content, Success, f"{place.out}/{place.success_key}")
    plan = read_plan(place, store)
    if model_digest() != plan.model_digest:
        raise BatchRefused(f"run {place.as_of}/{place.run} was planned for model {plan.model_digest}")
    marks = _read_marks(place, plan, store)
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        checks = list(pool.map(lambda shard: _shard_fault(place, plan, shard, marks[shard.number], store), plan.shards))
    if faults := [fault for fault in checks if fault]:
        raise Incomplete(f"{len(faults)} of {len(plan.shards)} shards are not whole; the first: {faults[0]}")
    if scores := _sum_scores(score for mark in marks.values() for score in mark.scores):
        write_scores(store, place.as_of, scores)
    success = _summary(plan, marks.values())
    encoded = msgspec.json.format(msgspec.json.encode(success), indent=1)
    return success if store.put_new(place.success_key, encoded) else finish(place)


def _read_marks(place: Place, plan: Plan, store: Store) -> dict[int, ShardDone]:
    """Read the mark of each shard, by its number; raises `Incomplete` naming the shards without one."""
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        contents = list(pool.map(lambda shard: store.read(place.done_key(shard.number)), plan.shards))
    missing = [shard.number for shard, content in zip(plan.shards, contents, strict=True) if content is None]
    if missing:
        first = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        raise Incomplete(f"{len(missing)} of {len(plan.shards)} shards are not done: {first}; start the run again")
    return {
        shard.number: decode(content, ShardDone, f"{place.out}/{place.done_key(shard.number)}")
        for shard, content in zip(plan.shards, contents, strict=True)
        if content is not None
    }


def _shard_fault(place: Place, plan: Plan, shard: Shard, mark: ShardDone, store: Store) -> str:
    """Say what is wrong with a shard's two parts; empty when they hold each of its series exactly once."""
    name = f"{place.out}/{place.folder}*/part-{shard.number:05}.parquet"
    if mark.model_digest != plan.model_digest:
        return f"{name} is of model {mark.model_digest}, the run of {plan.model_digest}"
    with scratch() as folder:
        paths = {}
        for table, digest in (("forecasts", mark.forecasts_sha256), ("status", mark.status_sha256)):
            key = place.part_key(table, shard.number)
            path = store.fetch(key, folder)
            if path is None:
                return f"{key} is gone"
            if sha256_of(path) != digest:
                return f"{key} is not the file that its worker wrote"
            paths[table] = path_literal(path)
        query = _PROOF.format(**paths, mask=plan.shard_count - 1, number=shard.number, horizon=plan.horizon)
        with one_thread() as database:
            [(rows, distinct, ids, strangers, partial, undue, unknown)] = database.execute(query).fetchall()
    if rows != shard.series or distinct != rows or ids != shard.ids or strangers:
        return f"{name}: {rows} rows of {distinct} series came out, {shard.series} series went in, or others did"
    if partial or undue or unknown:
        return f"{name}: {partial + undue + unknown} series have not one forecast of each step just where they should"
    return ""


def _sum_scores(scores: Iterable[Score]) -> list[Score]:
    """Sum the scores of all shards, by run, step and day."""
    totals: dict[tuple[str, str, int, str], Score] = {}
    for score in scores:
        key = (score.as_of, score.run, score.step, score.ds)
        if (total := totals.get(key)) is None:
            totals[key] = msgspec.structs.replace(score, covered=dict(score.covered))
            continue
        total.series += score.series
        total.absolute_error += score.absolute_error
        total.naive_absolute_error += score.naive_absolute_error
        total.pinball += score.pinball
        for level, count in score.covered.items():
            total.covered[level] += count
    return sorted(totals.values(), key=lambda total: (total.ds, total.as_of, total.run, total.step))


def _summary(plan: Plan, marks: Iterable[ShardDone]) -> Success:
    """Count the series by status and say which model and verdict the run is of."""
    counts: dict[str, int] = {}
    for mark in marks:
        for status, series in mark.counts.items():
            counts[status] = counts.get(status, 0) + series
    forecast = counts.pop(FORECAST, 0)
    return Success(
        SCHEMA_VERSION, plan.as_of, plan.calendar, plan.model_version, plan.model_digest, plan.input_digest,
        plan.horizon, plan.levels, plan.series, forecast, dict(sorted(counts.items())),
        read_verdict(models_folder(), plan.model_digest), plan.hash, plan.shard_count,
        datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds"),
    )  # fmt: skip
