"""DuckDB as everything here uses it: its settings, and texts, names and paths as it must see them."""

from __future__ import annotations

import os
import re
from pathlib import Path

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "temp_directory": "",  # never write a file
    "autoinstall_known_extensions": False,  # never use the network
    "autoload_known_extensions": False,
}


def quote(text: str, mark: str) -> str:
    """`text` as a literal (mark ') or a name (mark ")."""
    return mark + text.replace(mark, mark * 2) + mark


def path_literal(path: Path) -> str:
    """A path as a literal that DuckDB neither globs nor takes for a home folder or a URL."""
    return quote(re.sub(r"([*?\[])", r"[\1]", os.path.abspath(path)), "'")
