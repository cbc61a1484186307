"""Score earlier runs: `plan` finds those whose forecasts may have met closes since, `forecast` scores them by shard.

A forecast is matched by its series, its cutoff and the step-th later row, whatever day that is; and what is compared
are returns since the cutoff, so that closes which a dividend or a split has re-adjusted since do not count as misses.
"""

from __future__ import annotations

import contextlib
import datetime
import math
from pathlib import Path

import duckdb

from lambda_fn.batch.errors import FileDamaged
from lambda_fn.batch.records import EarlierRun, Place, Plan, Score, Success, decode
from lambda_fn.batch.score_table import FOLDER
from lambda_fn.batch.shard_reader import ShardTable
from lambda_fn.tables.sql import path_literal
from lambda_fn.tables.store import Store
from lambda_fn.telemetry import logger

LOOK_BACK = 7  # days beside those of the steps themselves: holidays, and series that did not trade

# pinball(q) = max(q (r - f), (q - 1) (r - f)): Koenker and Bassett, Regression Quantiles, Econometrica 46 (1978)
_PINBALL = "greatest({q} * (r - {f}), ({q} - 1) * (r - {f}))"
_MISDATED = "'duplicate date', 'bad date', 'bad row'"  # of these one can't tell which row is the step-th later one
_SCORE = """
    WITH met AS (
        SELECT f.*, s.last_price, c.days[p - f.step] AS met_on, ln(c.closes[p - f.step] / c.closes[p]) AS r
        FROM read_parquet({forecasts}, hive_partitioning = false) AS f
        JOIN read_parquet({status}, hive_partitioning = false) AS s USING (unique_id)
        JOIN (SELECT unique_id, days, closes FROM {shard} WHERE status NOT IN ({misdated})) AS c USING (unique_id),
        LATERAL (SELECT list_position(c.days, s.cutoff) AS p) -- newest first: later days stand before it
        WHERE p > f.step AND c.days[p - f.step] > DATE '{until}'
    )
    SELECT step, CAST(met_on AS VARCHAR), count(*),
        sum(abs(r - ln(efemera / last_price)) ORDER BY unique_id), sum(abs(r) ORDER BY unique_id),
        sum(({pinball}) / {quantiles} ORDER BY unique_id), {covered} -- in order: a sum has the same last bits then
    FROM met WHERE isfinite(r) GROUP BY step, met_on ORDER BY step, met_on"""


def find_earlier_runs(store: Store, as_of: str, horizon: int) -> tuple[str, list[EarlierRun]]:
    """Return the day until which steps have been scored, and the last finished run of each day with later steps."""
    scored = [name.removesuffix(".parquet") for name in store.children(FOLDER)]
    until = max((day for day in scored if day < as_of), default="")
    reach = datetime.timedelta(LOOK_BACK + 7 * math.ceil(horizon / 5))  # a week for each five sessions
    first = str(datetime.date.fromisoformat(until or as_of) - reach)
    return until or first, _last_finished_runs(store, first, as_of)


def score_shard(shard: ShardTable, plan: Plan, place: Place, number: int, folder: Path) -> list[Score]:
    """Score the plan's earlier runs on the series of one shard (`SHARD_COLUMNS`); their parts are fetched to `folder`.

    An earlier run of which a part is damaged is logged and left out: tonight's forecasts are none the worse for it.
    """
    scores, store = [], place.out_store()
    for run in plan.earlier:
        earlier = Place(place.out, place.work, run.as_of, run.run)
        numbers = _overlapping_shards(plan, number, run)
        forecasts, status = (_fetch_parts(store, earlier, table, numbers, folder) for table in ("forecasts", "status"))
        if not forecasts or not status:
            continue
        try:
            query = _score_query(shard, run, forecasts, status, plan.scored_until)
            rows = shard.database.execute(query).fetchall()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            logger.warning(
                "an earlier run can't be scored", scored=f"{run.as_of}/{run.run}", shard=number, reason=reason
            )
            continue
        for step, ds, series, absolute_error, naive_absolute_error, pinball, *covered in rows:
            levels = {f"{level:g}": count for level, count in zip(run.levels, covered, strict=True)}
            scores.append(
                Score(
                    run.as_of, run.run, run.model_version, run.model_digest, step, ds, series,
                    absolute_error, naive_absolute_error, pinball, levels,
                )
            )  # fmt: skip
    return scores


def _last_finished_runs(store: Store, first: str, as_of: str) -> list[EarlierRun]:
    """Find the last finished run of each day from `first` until before `as_of`."""
    runs = []
    for day in store.children("runs/"):
        if not first <= day < as_of:
            continue
        finished: list[tuple[str, str, Success]] = []
        for run in store.children(f"runs/{day}/"):
            content = store.read(f"runs/{day}/{run}/_SUCCESS.json")
            if content is not None:
                with contextlib.suppress(FileDamaged):  # as good as not there; it is no fault of this run
                    success = decode(content, Success, run)
                    finished.append((success.finished_at, run, success))
        if finished:
            _, run, success = max(finished, key=lambda entry: entry[:2])
            runs.append(
                EarlierRun(
                    day, run, success.shard_count, success.hash, success.levels,
                    success.model_version, success.model_digest,
                )
            )  # fmt: skip
    return runs


def _overlapping_shards(plan: Plan, number: int, run: EarlierRun) -> list[int]:
    """List the shards of an earlier run that may hold series of this one."""
    if run.hash != plan.hash:  # another hash spreads them over all
        return list(range(run.shard_count))
    fewer = min(plan.shard_count, run.shard_count)  # both are powers of two
    return [other for other in range(run.shard_count) if other % fewer == number % fewer]


def _fetch_parts(store: Store, earlier: Place, table: str, numbers: list[int], folder: Path) -> list[Path]:
    """Fetch the parts of a table that there are: a shard without a series has none."""
    parts = (store.fetch(earlier.part_key(table, number), folder) for number in numbers)
    return [path for path in parts if path is not None]


def _score_query(shard: ShardTable, run: EarlierRun, forecasts: list[Path], status: list[Path], until: str) -> str:
    """Build the query whose rows are the fields of a `Score` from its step on, for steps that fell after `until`."""

    def path_list(paths: list[Path]) -> str:
        return "[" + ", ".join(path_literal(path) for path in paths) + "]"

    columns = {0.5: "efemera"}
    for level in run.levels:
        columns[0.5 - level / 200] = f'"efemera-lo-{level:g}"'
        columns[0.5 + level / 200] = f'"efemera-hi-{level:g}"'
    returns = {quantile: f"ln({column} / last_price)" for quantile, column in columns.items()}
    pinball = " + ".join(_PINBALL.format(q=quantile, f=forecast) for quantile, forecast in returns.items())
    covered = [
        f"count(*) FILTER (r BETWEEN {returns[0.5 - level / 200]} AND {returns[0.5 + level / 200]})"
        for level in run.levels
    ]
    return _SCORE.format(
        shard=shard.name, forecasts=path_list(forecasts), status=path_list(status), until=until,
        pinball=pinball, quantiles=len(columns), covered=", ".join(covered), misdated=_MISDATED,
    )  # fmt: skip
