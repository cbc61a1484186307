"""Runs the experiments in turn; each one that has ended is told, drawn and on disk."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from export.conversion.artefacts import library_versions
from export.data.s3 import temporary_folder
from export.errors import InputError
from export.lab import gradient_reach, long_recall, memory_retention, parameter_count, price_forecasts, state_reset
from export.lab.experiment import Experiment, Numbers, Setup, of
from export.lab.language import ENGLISH, PORTUGUESE, Language

SCHEMA_VERSION = 1
RESULTS, PAGE = "results.json", "report.html"
EXPERIMENTS: dict[str, Experiment] = {
    "parameters": of(parameter_count),
    "gradient": of(gradient_reach),
    "recall": of(long_recall),
    "kept": of(memory_retention),
    "prices": of(price_forecasts),
    "life": of(state_reset),
}


@dataclasses.dataclass(frozen=True)
class Done:
    """An experiment that has ended."""

    name: str
    numbers: Numbers
    verdict: str

    @property
    def experiment(self) -> Experiment:
        """Which one."""
        return EXPERIMENTS[self.name]


def chosen(names: Sequence[str]) -> list[str]:
    """The experiments named, in the order of the laboratory; all without a name. Raises `InputError`."""
    for name in names:
        if name not in EXPERIMENTS:
            raise InputError(f"{name!r} is no experiment; there are {', '.join(EXPERIMENTS)}")
    return [name for name in EXPERIMENTS if name in names or not names]


def run(names: Sequence[str], setup: Setup) -> Iterator[Done]:
    """Measure one after the other."""
    for name in chosen(names):
        numbers = EXPERIMENTS[name].measure(setup)
        yield Done(name, numbers, EXPERIMENTS[name].judge(numbers))


def results_of(done: Sequence[Done], setup: Setup) -> dict[str, Any]:
    """Everything that `results.json` holds: the same seed gives the same on one machine."""
    return {
        "schema_version": SCHEMA_VERSION,
        "seed": setup.seed,
        "fast": setup.fast,
        "prices": {
            "series": len(setup.prices.ids),
            "rows": len(setup.prices),
            "sha256": setup.prices.digest(),
            "sources": list(setup.prices.sources),
        },
        "libraries": library_versions(),
        "experiments": {
            one.name: {
                "verdict": one.verdict,
                "sentence": {
                    language.code: one.experiment.tell(one.numbers, language).sentence
                    for language in (ENGLISH, PORTUGUESE)
                },
                "numbers": _plain(one.numbers),
            }
            for one in done
        },
    }


def write(folder: Path, done: Sequence[Done], setup: Setup, languages: Sequence[Language]) -> list[Path]:
    """Write `results.json` and `report.html`, whole or not at all; their paths. Raises `InputError`."""
    from export.lab.report import page_of

    files = {
        RESULTS: json.dumps(results_of(done, setup), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        PAGE: page_of(done, setup, languages),
    }
    try:
        with temporary_folder(folder) as staging:
            for name, content in files.items():
                (staging / name).write_text(content, encoding="utf-8")
            for name in files:
                (staging / name).replace(folder / name)
    except OSError as error:
        raise InputError(f"--out {folder}: can't be written ({error.strerror or error})") from None
    return [folder / name for name in files]


def _plain(value: Any) -> Any:
    """As JSON can hold it: a number that is not known is null."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
