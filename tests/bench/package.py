"""The API function's package as `sam build` makes it: its size against the same packages before pruning."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

BUILDER = Path(__file__).parent.parent.parent / "infra" / "build_function.py"


def rows(scratch: Path) -> Iterator[tuple[str, ...]]:
    """Assemble it once."""
    command = [sys.executable, str(BUILDER), "--out", str(scratch / "package")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    size, zipped = _numbers(r"package for \w+: ([\d.]+) MB, zipped ([\d.]+) MB", said)
    (before,) = _numbers(r"pruned: ([\d.]+) MB of packages before", said)
    yield "package, unzipped", f"{size} MB", "unpruned", f"{before} MB", f"{size / before:.2f} ×", "≤ 100 MB"
    yield "package, zipped", f"{zipped} MB", "", "", "", "≤ 34 MB"


def _numbers(pattern: str, text: str) -> tuple[float, ...]:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"the builder said something else: {text}")
    return tuple(float(number) for number in found.groups())
