"""Write an evaluation as `evaluation.json`, as it goes with a model, and as `scores.csv` with every number."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from export.errors import InputError
from export.schemas import as_json
from lambda_fn.tables.store import scratch

EVALUATION, SCORES = "evaluation.json", "scores.csv"
WHOLE = ("all", "first days of folds")  # the parts that are in `evaluation.json` at every step
COLUMNS = ("part", "step", "cases", "method", "measure", "value")


def write_evaluation(folder: Path, evaluation: dict[str, Any]) -> list[Path]:
    """Write both files, each whole or not at all; their paths. Raises `InputError` when the folder can't be written."""
    files = {SCORES: _table(evaluation).encode(), EVALUATION: evaluation_json(evaluation)}
    return write_files(folder, files, f"--out {folder}")


def write_files(folder: Path, files: Mapping[str, bytes], place: str, stale: Iterable[str] = ()) -> list[Path]:
    """Write files in this order, each whole or not at all, and delete the `stale` ones; return the paths written.

    Raises `InputError`, which names the folder as `place`, when it can't be written.
    """
    try:
        with scratch(folder) as staging:
            for name, content in files.items():
                (staging / name).write_bytes(content)
            for name in files:
                (staging / name).replace(folder / name)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{place}: can't be written ({error.strerror or error})") from None
    return [folder / name for name in files]


def evaluation_json(evaluation: dict[str, Any]) -> bytes:
    """Encode the evaluation without the scores of each series and of volatility's later steps; checked by its schema.

    A number that is not finite is null. `sha256` is of the rest without `evaluated_at`, as sorted, compact JSON.
    """
    published: dict[str, Any] = without_nan(evaluation)
    published["scores"] = [line for line in published["scores"] if line["part"] in WHOLE or _is_first_of_third(line)]
    published["sha256"] = digest_of(published)
    return as_json("evaluation", published)


def _is_first_of_third(line: dict[str, Any]) -> bool:
    return str(line["part"]).startswith("volatility ") and line["step"] == 1


def digest_of(evaluation: dict[str, Any]) -> str:
    """Compute SHA-256 in hex over all but `evaluated_at` and `sha256`."""
    content = {name: value for name, value in evaluation.items() if name not in ("evaluated_at", "sha256")}
    compact = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(compact.encode()).hexdigest()


def _table(evaluation: dict[str, Any]) -> str:
    """Build a row for each number: part, step (0: all), cases, method, measure, value."""
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


def without_nan(value: Any) -> Any:
    """Replace numbers that are not finite by null, and tuples by lists, as JSON can hold them."""
    if isinstance(value, dict):
        return {name: without_nan(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
