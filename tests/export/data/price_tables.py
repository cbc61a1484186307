"""Helpers for small tables: the closes that `read_prices` gives, and its refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.data.prices import Prices, read_prices
from export.errors import InputError


def refusal(*paths: Path, minimum: int = 1, skip_bad: bool = False, column: str | None = None) -> str:
    """The one line with which these files are refused."""
    with pytest.raises(InputError) as caught:
        read_prices(paths, minimum=minimum, skip_bad=skip_bad, column=column)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in message
    return message


def as_table(prices: Prices) -> dict[str, dict[str, float]]:
    """Prices in plain Python: unique_id → ISO day → close."""
    return {
        unique_id: dict(zip(map(str, ds), y.tolist(), strict=True))
        for unique_id in prices.ids
        for ds, y in [prices.series(unique_id)]
    }
