"""Scores table: errors of forecasts that met their closes, one small Parquet file a day; and its drift.

Columns: ds (the day the steps fell on), step, as_of and run (of the forecasts), model_version, model_digest, series,
mae and mae_naive (of log returns), pinball (mean over series and quantiles), and coverage-LEVEL for each interval.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from lambda_fn.batch.database import one_thread
from lambda_fn.batch.errors import FileDamaged
from lambda_fn.batch.records import Score
from lambda_fn.tables.sql import path_literal, quote
from lambda_fn.tables.store import Store, scratch

SESSIONS = 60  # that drift is judged over
FOLDER = "scores/"

Rows = dict[str, np.ndarray[Any, Any]]  # column → values


@dataclasses.dataclass(frozen=True)
class Drift:
    """Accuracy of forecasts over the last sessions that were scored."""

    sessions: int
    series: int  # forecasts scored
    ratio_to_naive: float  # mean absolute error over that of "tomorrow equals today", in log returns
    coverage: dict[str, float]  # interval level → share of closes that fell into it
    pinball: float


def write_scores(store: Store, as_of: str, scores: list[Score]) -> None:
    """Write the scores of one run's evening to `scores/<as_of>.parquet`, in place of an earlier try's."""
    levels = sorted({level for score in scores for level in score.covered}, key=float)
    columns: dict[str, list[Any]] = {
        "ds": [score.ds for score in scores],
        "step": [score.step for score in scores],
        "as_of": [score.as_of for score in scores],
        "run": [score.run for score in scores],
        "model_version": [score.model_version for score in scores],
        "model_digest": [score.model_digest for score in scores],
        "series": [score.series for score in scores],
        "mae": [score.absolute_error / score.series for score in scores],
        "mae_naive": [score.naive_absolute_error / score.series for score in scores],
        "pinball": [score.pinball / score.series for score in scores],
    }
    for level in levels:
        columns[f"coverage-{level}"] = [
            score.covered[level] / score.series if level in score.covered else None for score in scores
        ]
    with scratch() as folder, one_thread() as database:
        select = []
        for name, values in columns.items():
            database.execute(f"SET VARIABLE {quote(name, chr(34))} = $values", {"values": values})
            kind = {"ds": "DATE", "as_of": "DATE", "step": "INTEGER", "series": "BIGINT"}.get(
                name, "VARCHAR" if name in ("run", "model_version", "model_digest") else "DOUBLE"
            )
            select.append(f"CAST(unnest(getvariable({quote(name, chr(39))})) AS {kind}) AS {quote(name, chr(34))}")
        path = folder / "scores.parquet"
        database.execute(f"COPY (SELECT {', '.join(select)}) TO {quote(str(path), chr(39))} (FORMAT parquet)")
        store.put(f"{FOLDER}{as_of}.parquet", path)


def read_scores(store: Store, until: str = "9999-12-31") -> Rows:
    """Read the scores of the last `SESSIONS` sessions up to an evening, as columns; empty where there are none.

    What two evenings scored, as when an earlier day was run later, counts once.
    """
    names = [name for name in store.children(FOLDER) if name.endswith(".parquet")]
    names = [name for name in names if name.removesuffix(".parquet") <= until]
    with scratch() as folder:
        paths: list[Path] = []
        for name in names[-SESSIONS:]:  # each evening scores a session at least
            path = store.fetch(FOLDER + name, folder)
            if path is not None:
                paths.append(path)
        if not paths:
            return {}
        lists = ", ".join(path_literal(path) for path in paths)
        with one_thread() as database:
            query = f"""
                SELECT * EXCLUDE (filename) FROM read_parquet(
                    [{lists}], union_by_name = true, hive_partitioning = false, filename = true)
                QUALIFY row_number() OVER (PARTITION BY as_of, run, step, ds ORDER BY filename DESC) = 1
                ORDER BY ds, as_of, run, step"""
            try:
                columns = database.execute(query).fetchnumpy()
            except duckdb.Error as error:
                name = next((path.name for path in paths if str(path) in str(error)), "a file")
                raise FileDamaged(f"{store.uri}/{FOLDER}{name}: damaged; delete it") from None
    rows = {
        name: np.ma.filled(values, np.nan) if values.dtype.kind == "f" else np.asarray(values)
        for name, values in columns.items()
    }
    days = np.unique(rows["ds"])[-SESSIONS:]
    kept = rows["ds"] >= days[0]
    return {name: values[kept] for name, values in rows.items()}


def drift(rows: Rows, step: int | None = None) -> Drift | None:
    """Pool these rows, of one step or of all; None where there are none."""
    if rows and step is not None:
        rows = {name: values[rows["step"] == step] for name, values in rows.items()}
    if not rows or not len(rows["ds"]):
        return None
    series = rows["series"]
    total = int(series.sum())
    coverage = {}
    for name, values in rows.items():
        if name.startswith("coverage-"):
            known = ~np.isnan(values)
            coverage[name.removeprefix("coverage-")] = float(
                (values[known] * series[known]).sum() / max(int(series[known].sum()), 1)
            )
    naive = float((rows["mae_naive"] * series).sum())
    return Drift(
        len(np.unique(rows["ds"])),
        total,
        float((rows["mae"] * series).sum()) / naive if naive else float("nan"),
        coverage,
        float((rows["pinball"] * series).sum()) / total,
    )
