"""Which of our own modules a function needs: those that its handlers import, and what these import in turn."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "lambda_fn"


def own_modules(handlers: tuple[str, ...], source: Path = SOURCE) -> list[Path]:
    """The files of these modules of `source` and of all that they import from there, wherever in a file they do."""
    found, waiting = {source / "__init__.py"}, list(handlers)
    while waiting:
        path = source / f"{waiting.pop()}.py"
        if path not in found:
            found.add(path)
            waiting += [name for name in _imported(path, source.name) if (source / f"{name}.py").exists()]
    return sorted(found)


def _imported(path: Path, package: str) -> Iterator[str]:
    """The names below `package` that a file imports: modules, and what is imported from it that may be one."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name}" for name in names]
        for name in names:
            if name.startswith(f"{package}."):
                yield name.split(".")[1]
