"""How many custom metrics CloudWatch counts, of the very lines that the functions print for it."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
from unittest import mock

import numpy as np

from lambda_fn import telemetry
from lambda_fn.batch import cloudwatch_metrics
from lambda_fn.batch.records import Success
from lambda_fn.batch.score_table import SESSIONS, Rows

Series = tuple[str, tuple[tuple[str, str], ...]]  # a metric's name, its dimensions with their values
HORIZON, LEVELS = 5, [95, 80, 50]


def metric_series(lines: str) -> set[Series]:
    """What CloudWatch makes of lines in its embedded format: a series for each metric and set of dimensions."""
    found: set[Series] = set()
    for line in map(json.loads, lines.splitlines()):
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for metric, names in itertools.product(directive["Metrics"], directive["Dimensions"]):
                found.add((metric["Name"], tuple(sorted((name, str(line[name])) for name in names))))
    return found


def of_the_api() -> int:
    """In an hour with a cold start, forecasts by one route, and one kind of refusal."""
    refusals = {"invalid-request": 1}
    line = telemetry.Line("/predict", 200, "id", 0.001, 0.0005, 1, refusals, "version", "digest")
    with contextlib.redirect_stdout(io.StringIO()) as printed, mock.patch.object(telemetry, "_cold", True):
        telemetry.write(line)
    return len(metric_series(printed.getvalue()))


def of_a_run() -> int:
    """Of a batch run with one kind of refusal, once 60 sessions have been scored."""
    rows = SESSIONS * HORIZON
    scores: Rows = {
        "ds": np.repeat(np.datetime64("2026-01-01") + np.arange(SESSIONS), HORIZON),
        "step": np.tile(np.arange(1, HORIZON + 1), SESSIONS),
        **{name: np.full(rows, 0.5) for name in ("series", "mae", "mae_naive", "pinball")},
        **{f"coverage-{level}": np.full(rows, 0.5) for level in LEVELS},
    }
    success = Success(
        1, "2026-11-19", "BVMF", "version", "digest", "digest", HORIZON, [float(level) for level in LEVELS], 2, 1,
        {"too short": 1}, "calibrated", "hash", 1, "2026-11-19T21:40:00+00:00",
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        cloudwatch_metrics.write(success, scores)
    return len(metric_series(printed.getvalue()))
