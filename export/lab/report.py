"""Write `results.json` and the laboratory's report: one page that holds everything, in one language or two."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from export.conversion.artefacts import library_versions
from export.evaluation.evaluation_file import without_nan, write_files
from export.evaluation.report.style import png_of
from export.lab.experiment import FAILS, HOLDS, IN_PART, OPEN, Outcome, Setup
from export.lab.language import ENGLISH, PORTUGUESE, Language

SCHEMA_VERSION = 1
RESULTS, PAGE = "results.json", "report.html"
TEMPLATE = Path(__file__).with_name("report.html.jinja")
BADGES = {HOLDS: "holds", IN_PART: "part", FAILS: "fails", OPEN: "open"}  # classes of the page


def write_report(folder: Path, outcomes: Sequence[Outcome], setup: Setup, languages: Sequence[Language]) -> list[Path]:
    """Write both files, each whole or not at all; their paths. Raises `InputError`."""
    results = json.dumps(results_of(outcomes, setup), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    files = {RESULTS: results.encode(), PAGE: page_of(outcomes, setup, languages).encode()}
    return write_files(folder, files, f"--out {folder}")


def results_of(outcomes: Sequence[Outcome], setup: Setup) -> dict[str, Any]:
    """Build the content of `results.json`: the same seed gives the same on one machine."""
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
            one.experiment.name: {
                "verdict": one.verdict,
                "sentence": {
                    language.code: one.experiment.tell(one.numbers, language).sentence
                    for language in (ENGLISH, PORTUGUESE)
                },
                "numbers": without_nan(one.numbers),
            }
            for one in outcomes
        },
    }


def page_of(outcomes: Sequence[Outcome], setup: Setup, languages: Sequence[Language]) -> str:
    """Render the page; with two languages it switches between them without a script, the first one shown first."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        parts=[_part(language, outcomes, setup) for language in languages],
        both=len(languages) > 1,
        fast=setup.fast,
        sha=setup.prices.digest(),
        command=" ".join(
            ["efemera lab", *(one.experiment.name for one in outcomes), f"--seed {setup.seed}"]
            + ["--fast"] * setup.fast
        ),
    )


def _part(language: Language, outcomes: Sequence[Outcome], setup: Setup) -> dict[str, Any]:
    """Fill in the page's texts in one language."""
    fields = {
        "holding": sum(one.verdict == HOLDS for one in outcomes),
        "total": len(outcomes),
        "closes": len(setup.prices),
        "series": len(setup.prices.ids),
        "sources": "; ".join(setup.prices.sources),
    }
    experiments = [
        {
            "id": f"{one.experiment.name}-{language.code}",
            "words": one.experiment.tell(one.numbers, language),
            "verdict": language.text(f"verdicts.{one.verdict}"),
            "badge": BADGES[one.verdict],
            "png": base64.b64encode(png_of(one.experiment.draw, one.numbers, language)).decode(),
        }
        for one in outcomes
    ]
    texts = {key: language.text(f"report.{key}", **fields) for key in language.texts["report"]}
    return {**texts, "code": language.code, "experiments": experiments}
