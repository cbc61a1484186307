"""CloudWatch metrics of a batch run: lines in the embedded metric format, one for the run and one a step.

`Coverage80`, `ErrorToNaive` and `Pinball` are of what the scores table holds of the last 60 sessions. From 60 sessions
on they are published as `…Of60` too, which the alarms watch: over fewer, chance alone would ring them.
"""

from __future__ import annotations

import math
import os
import sys
import time
from typing import Any

import msgspec
from aws_lambda_powertools.metrics.functions import is_metrics_disabled
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from lambda_fn.batch.records import Success
from lambda_fn.batch.score_table import SESSIONS, Drift, Rows, drift
from lambda_fn.telemetry import SERVICE

_provider = AmazonCloudWatchEMFProvider(
    namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or "Efemera", service=SERVICE
)


def write(success: Success, scores: Rows) -> None:
    """Print the metric lines of a finished run and of the scores up to its evening."""
    if is_metrics_disabled():
        return
    metrics: dict[str, float] = {"BatchSeries": success.series, "BatchForecast": success.forecast}
    for status, series in success.refused.items():
        metrics["BatchRefused" + status.title().replace(" ", "")] = series
    run_fields = {
        "as_of": success.as_of,
        "model_version": success.model_version,
        "model_digest": success.model_digest,
        "input_digest": success.input_digest,
    }
    pooled = drift(scores)
    if pooled is not None:
        metrics |= _figures(pooled)
        if pooled.sessions >= SESSIONS:
            metrics |= {f"{name}Of{SESSIONS}": value for name, value in _figures(pooled).items()}
    _print_line(metrics, {"service": SERVICE}, run_fields)
    for step in sorted({int(step) for step in scores.get("step", ())}):
        of_step = drift(scores, step)
        assert of_step is not None, step
        _print_line(_figures(of_step), {"service": SERVICE, "step": str(step)}, run_fields)


def _figures(pooled: Drift) -> dict[str, float]:
    coverage = {f"Coverage{level}": share for level, share in pooled.coverage.items()}
    figures = {"ErrorToNaive": pooled.ratio_to_naive, "Pinball": pooled.pinball, **coverage}
    return {name: value for name, value in figures.items() if math.isfinite(value)}  # no close may have moved


def _print_line(metrics: dict[str, float], dimensions: dict[str, str], fields: dict[str, str]) -> None:
    counts = {name: name.startswith("Batch") for name in metrics}
    units = {
        name: {"Unit": "Count" if is_count else "None", "Value": 0, "StorageResolution": 60}
        for name, is_count in counts.items()
    }
    serialized: Any = _provider.serialize_metric_set(units, dimensions, {})
    directive = {"Timestamp": int(time.time() * 1e3), "CloudWatchMetrics": serialized["_aws"]["CloudWatchMetrics"]}
    rounded = {name: value if counts[name] else round(value, 6) for name, value in metrics.items()}
    sys.stdout.write(msgspec.json.encode({"_aws": directive, **dimensions, **fields, **rounded}).decode() + "\n")
