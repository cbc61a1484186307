"""Calendar dates as a user writes them."""

from __future__ import annotations

import contextlib
import datetime
import re


def parse_day(text: str) -> datetime.date | None:
    """The date in YYYY-MM-DD and no other form, or None: `fromisoformat` takes 20240102 and 2024-W01-2 as well."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        with contextlib.suppress(ValueError):
            return datetime.date.fromisoformat(text)
    return None
