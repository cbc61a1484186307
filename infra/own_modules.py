"""List the modules of `lambda_fn` that a function needs: its handlers, and all that these import, at any depth."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "lambda_fn"


def own_modules(handlers: tuple[str, ...], source: Path = SOURCE) -> list[Path]:
    """Return the files of these modules (`api.handler`) and of all that they import from `source`, sorted.

    An import inside a function counts too, and so do the packages (`__init__.py`) that a module lies in.
    """
    files, waiting = set[Path](), [f"{source.name}.{handler}" for handler in handlers]
    while waiting:
        path = _file_of(waiting.pop(), source)
        if path is None or path in files:
            continue
        packages = [parent / "__init__.py" for parent in path.parents if parent.is_relative_to(source)]
        files |= {path, *packages}
        for file in (path, *packages):
            waiting += _imported(file, source.name)
    return sorted(files)


def _file_of(module: str, source: Path) -> Path | None:
    """Return the file of a dotted name, or None where the name is no module of `source`."""
    path = source.parent.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def _imported(path: Path, package: str) -> Iterator[str]:
    """Yield the dotted names below `package` that a file imports: modules, and names in them, which may be modules."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{name}" for name in names)]
        yield from (name for name in names if name.split(".")[0] == package)
