"""Small price tables written to disk, and what reading them gives."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from export.data.prices import Prices, read_prices
from export.errors import InputError

HEADER = "unique_id,ds,y\n"
GOOD = HEADER + "A,2024-01-02,10\nA,2024-01-03,10.5\n"
YAHOO = "Date,Open,High,Low,Close,Adj Close,Volume\n"
YAHOO_DAY = "2024-01-02,9,11,8,10,5,700\n"


def write(path: Path, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") and isinstance(content, str) else data)
    return path


def write_parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as database:
        database.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def refusal(*paths: Path, minimum: int = 1, skip_bad: bool = False, column: str | None = None) -> str:
    """The one line with which these files are refused."""
    with pytest.raises(InputError) as caught:
        read_prices(paths, minimum=minimum, skip_bad=skip_bad, column=column)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in message
    assert "duckdb" not in message.lower()
    assert "Error" not in message
    return message


def as_table(prices: Prices) -> dict[str, dict[str, float]]:
    """What was read, in plain Python: unique_id → ISO day → close."""
    return {
        unique_id: dict(zip(map(str, ds), y.tolist(), strict=True))
        for unique_id in prices.ids
        for ds, y in [prices.series(unique_id)]
    }
