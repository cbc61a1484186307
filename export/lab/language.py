"""English and Brazilian Portuguese: texts of `texts_*.toml` with named fields, and numbers as each writes them."""

from __future__ import annotations

import math
import string
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

UNKNOWN = "–"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Language(string.Formatter):
    """One of the two languages of a report; formats numbers with its own marks."""

    def __init__(self, code: str, marks: str, and_: str, texts: str) -> None:
        self.code = code  # of HTML's lang
        self._marks = str.maketrans(",.-", f"{marks}−")
        self._and = and_
        self.texts = tomllib.loads(Path(__file__).with_name(texts).read_text(encoding="utf-8"))

    def text(self, key: str, **fields: Any) -> str:
        """Fill in the text with this dotted key, as "gradient.title"."""
        text: Any = self.texts
        for part in key.split("."):
            text = text[part]
        return self.vformat(text, (), fields)

    def format_field(self, value: Any, spec: str) -> str:
        """Format a field: by `small` or `day`, or by Python's specification with this language's marks."""
        if spec in ("small", "day"):
            return self.small(value) if spec == "small" else self.day(value)
        if not spec:
            return str(value)
        return format(value, spec).translate(self._marks) if math.isfinite(value) else UNKNOWN

    def number(self, value: float, spec: str) -> str:
        """Format a number: ",.2f" gives 31,051.25 or 31.051,25, and ".1%" 80.3% or 80,3%."""
        return self.format_field(value, spec)

    def small(self, value: float, digits: int = 2) -> str:
        """Format with so many significant digits, as a power of ten where zeros would hide them: 0.021, 2.7 × 10⁻²⁴."""
        if not math.isfinite(value):
            return UNKNOWN
        if value == 0 or 1e-3 <= abs(value) < 1e4:
            return f"{value:.{digits}g}".translate(self._marks)
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        times = "\u00a0×\u00a010"  # a line must not break here
        return f"{mantissa.translate(self._marks)}{times}{str(int(exponent)).translate(SUPERSCRIPTS)}"

    def day(self, iso: str) -> str:
        """Format a date: 2007-10-02 or 02/10/2007."""
        return iso if self.code == "en" else "/".join(reversed(iso.split("-")))

    def listed(self, words: Sequence[str]) -> str:
        """Join words: one, two and three."""
        return self._and.join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


ENGLISH = Language("en", ",.", " and ", "texts_en.toml")
PORTUGUESE = Language("pt-BR", ".,", " e ", "texts_pt.toml")


def power_of_ten(value: float) -> str:
    """Format a tick of a logarithmic axis: 10⁻⁶."""
    return f"10{str(round(math.log10(value))).translate(SUPERSCRIPTS)}" if value > 0 else ""
