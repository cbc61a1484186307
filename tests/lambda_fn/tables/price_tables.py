"""Small price tables written to disk, and the closes that the reader gives of them."""

from __future__ import annotations

import datetime
import gzip
from pathlib import Path

import duckdb
import pytest

from lambda_fn.batch.last_closes import read_closes
from lambda_fn.tables.errors import InputRefused
from lambda_fn.tables.price_files import open_price_files
from lambda_fn.tables.row_table import RowTable
from lambda_fn.tables.store import scratch

HEADER = "unique_id,ds,y\n"
GOOD = HEADER + "A,2024-01-02,10\nA,2024-01-03,10.5\n"
YAHOO = "Date,Open,High,Low,Close,Adj Close,Volume\n"
YAHOO_DAY = "2024-01-02,9,11,8,10,5,700\n"

Table = dict[str, dict[str, float]]  # unique_id → ISO day → close


def write(path: Path, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") and isinstance(content, str) else data)
    return path


def write_parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as database:
        database.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def read(*places: Path | str, column: str | None = None) -> Table:
    """The closes that a row table reads; raises the first fault."""
    with scratch() as folder, RowTable(open_price_files([*map(str, places)], folder), column=column) as rows:
        if faults := rows.faults():
            raise InputRefused(faults[0].message)
        ids, lengths, ds, y, _ = rows.closes()
    names = [unique_id for unique_id, length in zip(ids, lengths, strict=True) for _ in range(length)]
    return as_table(zip(names, ds.astype(str).tolist(), y.tolist(), strict=True))


def read_in_batch(*places: Path | str) -> Table:
    """The closes that a batch run reads."""
    with scratch() as folder, duckdb.connect() as database:
        files = open_price_files([*map(str, places)], folder)
        closes = read_closes(database, files, folder, datetime.date(9999, 12, 31))
        rows = database.execute(f"SELECT unique_id, ds, y, fault FROM {closes.rows}").fetchall()
    assert [row for row in rows if row[3] is not None] == []
    return as_table((unique_id, str(day), close) for unique_id, day, close, _ in rows)


def as_table(rows) -> Table:
    """Rows of unique_id, day and close as plain Python."""
    table: Table = {}
    for unique_id, day, close in rows:
        assert table.setdefault(unique_id, {}).setdefault(day, close) == close
    return table


def refusal(*places: Path | str, column: str | None = None) -> str:
    """The one line with which these files are refused."""
    with pytest.raises(InputRefused) as caught:
        read(*places, column=column)
    message = str(caught.value)
    assert "\n" not in message
    assert "duckdb" not in message.lower()
    assert "Error" not in message
    return message
