"""The API function's package as `sam build` makes it: its size against the same packages before pruning."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from infra import build_function
from tests.bench.start import ROOT

INFERENCE = ("numpy", "numpy.libs", "onnxruntime")  # the folders of numpy and onnxruntime


def build(out: Path) -> str:
    """Assemble the package into `out`; what the builder says of it. With bytecode where LAMBDA_PYTHON can be had."""
    python = os.environ.get("LAMBDA_PYTHON") or f"python{build_function.PYTHON_VERSION}"
    command = [str(ROOT / ".venv-sam" / "bin" / "python"), "-m", "infra.build_function", "--out", str(out.resolve())]
    command += ["--lambda-python", python]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def rows(package: Path, said: str, scratch: Path) -> Iterator[tuple[str, ...]]:
    """The whole package as its builder saw it, then the two that weigh most."""
    size, zipped = _numbers(r"package for \w+: ([\d.]+) MB, zipped ([\d.]+) MB", said)
    (before,) = _numbers(r"pruned: ([\d.]+) MB of packages before", said)
    yield "package, unzipped", f"{size} MB", "unpruned", f"{before} MB", f"{size / before:.2f} ×", "≤ 100 MB"
    yield "package, zipped", f"{zipped} MB", "", "", "", "≤ 34 MB"
    build_function._install(scratch / "unpruned", "x86_64")
    pruned, whole = _weight(package), _weight(scratch / "unpruned")
    yield (
        "numpy + onnxruntime in it, without bytecode",
        f"{pruned:.1f} MB",
        "as pip installs them",
        f"{whole:.1f} MB",
        f"{pruned / whole:.2f} ×",
        "≤ 0.68 ×",
    )


def _weight(packages: Path) -> float:
    """Megabytes of numpy and onnxruntime; bytecode is there or not as the builder's machine has it."""
    files = [path for name in INFERENCE for path in (packages / name).rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files if path.suffix != ".pyc") / 1e6


def _numbers(pattern: str, text: str) -> tuple[float, ...]:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"the builder said something else: {text}")
    return tuple(float(number) for number in found.groups())
