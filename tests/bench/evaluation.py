"""`efemera evaluate` of the committed model on 50 made series × 1,250 sessions, against its GARCH fits alone.

`python -m tests.bench.evaluation` measures this alone. With `EFEMERA_DATA` it also says how the model does there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from export.data.prices import read_prices
from export.evaluation.cases import cases_of, folds_of
from export.evaluation.methods.garch import PERCENT, fit_garch
from export.evaluation.methods.simple import stretches_of
from tests.bench.measure import figures, readable, settle
from tests.bench.start import ROOT

SERIES, JUDGED = 50, 1250
DAYS = JUDGED + 250 + 5  # with a year before the first cutoff and five steps after the last
EFEMERA = str(Path(sys.executable).with_name("efemera"))


def rows(scratch: Path) -> Iterator[tuple[str, ...]]:
    """The command on made series, and what the model's goals come to on the real ones."""
    prices = scratch / "evaluated.parquet"
    made = ["--series", str(SERIES), "--days", str(DAYS), "--end", "2025-12-30", "--calendar", "XNYS"]
    subprocess.run([EFEMERA, "data", "sample", *made, "--out", str(prices)], cwd=ROOT, capture_output=True, check=True)
    settle()
    started = time.perf_counter()
    found = _evaluated(prices, "--from", "2010-01-01", "--skip-slow", "--refit-every", "63")
    whole = time.perf_counter() - started
    fits, count = _fits(prices)
    yield (
        f"efemera evaluate, {found['cases']:,} cases of {SERIES} series, {os.cpu_count()} processes",
        readable(whole),
        f"its {count:,} GARCH fits by arch alone, one process",
        readable(fits),
        f"{whole / fits:.2f} ×",
        "under 3 min",
    )
    if folder := os.environ.get("EFEMERA_DATA"):
        yield from _goals(_evaluated(Path(folder) / "prices.csv.gz", "--skip-slow"))


def _evaluated(prices: Path, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [EFEMERA, "evaluate", "--prices", str(prices), "--json", *options], cwd=ROOT, capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _fits(path: Path) -> tuple[float, int]:
    """Seconds of the fits alone, one after the other, and how many they are."""
    prices = read_prices([path], minimum=1)
    cases = cases_of(prices, 60, 5, np.datetime64("2010-01-01"))
    samples = [
        PERCENT * np.diff(log[: stretch.known])
        for log, stretches in stretches_of(prices, cases, folds_of(prices, cases, 63))
        for stretch in stretches
    ]
    fit_garch(samples[0])  # imports arch
    started = time.perf_counter()
    for sample in samples:
        fit_garch(sample)
    return time.perf_counter() - started, len(samples)


def _goals(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Each goal of the model beside what it reaches on real prices after its training data."""
    lines = {(line["part"], line["step"]): line["methods"] for line in found["scores"]}
    steps = range(1, found["settings"]["horizon"] + 1)

    def ratio(step: int, *rivals: str) -> float:
        methods = lines["all", step]
        return float(methods["efemera"]["pinball"] / min(methods[name]["pinball"] for name in rivals))

    def covers(part: str, step: int, level: str) -> float:
        return 100 * float(lines[part, step]["efemera"]["coverage"][level]["share"])

    where = f"the model on {found['cases']:,} unseen cases"
    ahead = ", ".join(f"{ratio(step, 'ewma', 'garch'):.4f}" for step in steps)
    yield where, "", "pinball against the better of EWMA and GARCH-t, by step", "", ahead, "≤ 1.000 ×"
    yield "likewise", "", "pinball against constant quantiles, step 1", "", f"{ratio(1, 'constant'):.4f}", "≤ 0.982 ×"
    for level, reach in (("80", "80 ± 1.5%"), ("95", "95 ± 1%")):
        shares = ", ".join(f"{covers('all', step, level):.1f}" for step in steps)
        yield "likewise", "", f"coverage of the {level}% interval, by step", "", f"{shares}%", reach
    thirds = ", ".join(f"{covers(f'volatility {name}', 1, '80'):.1f}" for name in ("low", "middle", "high"))
    yield "likewise", "", "likewise of the 80% interval by volatility", "", f"{thirds}%", "80 ± 4%"
    errors = ", ".join(f"{lines['all', step]['efemera']['rel_mae']:.4f}" for step in steps)
    yield "likewise", "", "error of the median against naive, by step", "", errors, "≤ 1.000"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        figures("evaluation", rows(Path(folder)))
