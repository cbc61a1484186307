"""What goes from Python into SQL: texts, names and paths as DuckDB must see them."""

from __future__ import annotations

import os
import re
from pathlib import Path


def quote(text: str, mark: str) -> str:
    """`text` as a literal (mark ') or a name (mark ")."""
    return mark + text.replace(mark, mark * 2) + mark


def path_literal(path: Path) -> str:
    """A path as a literal that DuckDB neither globs nor takes for a home folder or a URL."""
    return quote(re.sub(r"([*?\[])", r"[\1]", os.path.abspath(path)), "'")
