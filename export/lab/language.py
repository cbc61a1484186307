"""English and Brazilian Portuguese: a text in either, and numbers as each writes them."""

from __future__ import annotations

import dataclasses
import math

UNKNOWN = "–"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
OTHER_MARKS = str.maketrans(",.", ".,")


@dataclasses.dataclass(frozen=True)
class Language:
    """One of the two languages of a report; called with a text in both, it gives its own."""

    code: str  # of HTML's lang

    def __call__(self, english: str, portuguese: str) -> str:
        """The text in this language."""
        return english if self is ENGLISH else portuguese

    def fixed(self, value: float, decimals: int) -> str:
        """With so many decimals: 31,051.25 or 31.051,25."""
        return self._marks(f"{value:,.{decimals}f}") if math.isfinite(value) else UNKNOWN

    def count(self, value: int) -> str:
        """A whole number: 31,051 or 31.051."""
        return self.fixed(value, 0)

    def percent(self, share: float, decimals: int = 1) -> str:
        """A share in percent: 80.3% or 80,3%."""
        return f"{self.fixed(100 * share, decimals)}%" if math.isfinite(share) else UNKNOWN

    def small(self, value: float, digits: int = 2) -> str:
        """With so many digits that count, as a power of ten where zeros would hide them: 0.021, 2.7 × 10⁻²⁴."""
        if not math.isfinite(value):
            return UNKNOWN
        if value == 0 or 1e-3 <= abs(value) < 1e4:
            return self._marks(f"{value:.{digits}g}")
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        times = "\u00a0×\u00a010"  # a line must not break here
        return f"{self._marks(mantissa)}{times}{str(int(exponent)).translate(SUPERSCRIPTS)}"

    def day(self, iso: str) -> str:
        """A date: 2007-10-02 or 02/10/2007."""
        return self(iso, "/".join(reversed(iso.split("-"))))

    def listed(self, words: list[str]) -> str:
        """One, two and three."""
        last = self(" and ", " e ")
        return ", ".join(words[:-1]) + last + words[-1] if len(words) > 1 else "".join(words)

    def _marks(self, text: str) -> str:
        return self(text, text.translate(OTHER_MARKS)).replace("-", "−")


ENGLISH, PORTUGUESE = Language("en"), Language("pt-BR")


def power_of_ten(value: float) -> str:
    """10⁻⁶, for the ticks of a logarithmic axis."""
    return f"10{str(round(math.log10(value))).translate(SUPERSCRIPTS)}" if value > 0 else ""
