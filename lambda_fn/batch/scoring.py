"""How earlier runs did: their forecasts against the closes that have come since, in log returns.

A forecast is matched by its series, its cutoff and the step-th later row, whatever day that is; and what is compared
are returns since the cutoff, so that closes which a dividend or a split has re-adjusted since do not count as misses.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from lambda_fn.batch.run_records import Earlier, Place, Plan, Score
from lambda_fn.tables.sql import path_literal
from lambda_fn.tables.store import Store
from lambda_fn.telemetry import logger

# pinball(q) = max(q (r - f), (q - 1) (r - f)): Koenker and Bassett, Regression Quantiles, Econometrica 46 (1978)
_PINBALL = "greatest({q} * (r - {f}), ({q} - 1) * (r - {f}))"
_MISDATED = "'duplicate date', 'bad date', 'bad row'"  # of these one can't tell which row is the step-th later one
_SCORE = """
    WITH met AS (
        SELECT f.*, s.last_price, c.days[p - f.step] AS met_on, ln(c.closes[p - f.step] / c.closes[p]) AS r
        FROM read_parquet({forecasts}, hive_partitioning = false) AS f
        JOIN read_parquet({status}, hive_partitioning = false) AS s USING (unique_id)
        JOIN (SELECT unique_id, days, closes FROM series WHERE status NOT IN ({misdated})) AS c USING (unique_id),
        LATERAL (SELECT list_position(c.days, s.cutoff) AS p) -- newest first: later days stand before it
        WHERE p > f.step AND c.days[p - f.step] > DATE '{until}'
    )
    SELECT step, CAST(met_on AS VARCHAR), count(*),
        sum(abs(r - ln(efemera / last_price)) ORDER BY unique_id), sum(abs(r) ORDER BY unique_id),
        sum(({pinball}) / {quantiles} ORDER BY unique_id), {covered} -- in order: a sum has the same last bits then
    FROM met WHERE isfinite(r) GROUP BY step, met_on ORDER BY step, met_on"""


def score(database: duckdb.DuckDBPyConnection, plan: Plan, place: Place, number: int, folder: Path) -> list[Score]:
    """The scores of the series of one shard; `series` is in the database (`shard.py`)."""
    store, found = place.out_store(), []
    for run in plan.earlier:
        earlier = Place(place.out, place.work, run.as_of, run.run)
        tables = {name: _parts(store, earlier, name, _overlapping(plan, number, run), folder) for name in _TABLES}
        if not all(tables.values()):
            continue
        try:
            rows = database.execute(_query(run, tables, plan.scored_until)).fetchall()
        except duckdb.Error as damage:  # of a part; tonight's forecasts are none the worse for it
            reason = str(damage).splitlines()[0]
            logger.warning(
                "an earlier run can't be scored", scored=f"{run.as_of}/{run.run}", shard=number, reason=reason
            )
            continue
        for step, ds, series, error, naive, pinball, *covered in rows:
            levels = {f"{level:g}": count for level, count in zip(run.levels, covered, strict=True)}
            found.append(
                Score(
                    run.as_of, run.run, run.model_version, run.model_digest, step, ds, series, error, naive, pinball,
                    levels,
                )
            )  # fmt: skip
    return found


_TABLES = ("forecasts", "status")


def _overlapping(plan: Plan, number: int, run: Earlier) -> list[int]:
    """The shards of an earlier run that may hold series of this one."""
    if run.hash != plan.hash:  # another hash spreads them over all
        return list(range(run.shard_count))
    fewer = min(plan.shard_count, run.shard_count)  # both are powers of two
    return [other for other in range(run.shard_count) if other % fewer == number % fewer]


def _parts(store: Store, earlier: Place, name: str, numbers: list[int], folder: Path) -> list[Path]:
    """Local paths of those parts of a table that there are: a shard without a series has none."""
    found = (store.fetch(earlier.table(name, number), folder) for number in numbers)
    return [path for path in found if path is not None]


def _query(run: Earlier, tables: dict[str, list[Path]], until: str) -> str:
    def lists(paths: list[Path]) -> str:
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
        forecasts=lists(tables["forecasts"]), status=lists(tables["status"]), until=until,
        pinball=pinball, quantiles=len(columns), covered=", ".join(covered), misdated=_MISDATED,
    )  # fmt: skip
