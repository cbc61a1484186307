"""Writes what an evaluation found: `evaluation.json`, as it goes with a model, and `scores.csv` with every number."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

from export.data.s3 import temporary_folder
from export.errors import InputError
from export.schemas import read_schema

EVALUATION, SCORES = "evaluation.json", "scores.csv"
WHOLE = ("all", "first days of folds")  # the parts that are told at every step
COLUMNS = ("part", "step", "cases", "method", "measure", "value")


def write_results(folder: Path, evaluation: dict[str, Any]) -> list[Path]:
    """Write both files, each whole or not at all; their paths. Raises `InputError` when the folder can't be written."""
    files = {SCORES: _table(evaluation).encode(), EVALUATION: evaluation_json(evaluation)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder) as staging:
            for name, content in files.items():
                (staging / name).write_bytes(content)
            for name in files:
                (staging / name).replace(folder / name)
    except OSError as error:
        raise InputError(f"--out {folder}: can't be written ({error.strerror or error})") from None
    return [folder / name for name in files]


def evaluation_json(evaluation: dict[str, Any]) -> bytes:
    """The evaluation as the model's users get it, without the scores of each series and of volatility's later steps;
    checked against its schema.

    A number that can't be told is null. `sha256` is of the rest without `evaluated_at`, as sorted, compact JSON.
    """
    told: dict[str, Any] = _without_nan(evaluation)
    told["scores"] = [line for line in told["scores"] if line["part"] in WHOLE or _is_first_of_third(line)]
    told["sha256"] = digest_of(told)
    jsonschema.validate(told, read_schema("evaluation"))
    return (json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _is_first_of_third(line: dict[str, Any]) -> bool:
    return str(line["part"]).startswith("volatility ") and line["step"] == 1


def digest_of(evaluation: dict[str, Any]) -> str:
    """SHA-256 in hex over all but `evaluated_at` and `sha256`."""
    told = {name: value for name, value in evaluation.items() if name not in ("evaluated_at", "sha256")}
    return hashlib.sha256(
        json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()


def _table(evaluation: dict[str, Any]) -> str:
    """A row for each number: part, step (0: all), cases, method, measure, value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in evaluation["scores"]:
        for method, measured in line["methods"].items():
            for measure, value in _flat(measured):
                writer.writerow([line["part"], line["step"], line["cases"], method, measure, value])
    return text.getvalue()


def _flat(measured: dict[str, Any], before: str = "") -> Iterator[tuple[str, float]]:
    for name, value in measured.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name} ")
        else:
            yield f"{before}{name}", value


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
