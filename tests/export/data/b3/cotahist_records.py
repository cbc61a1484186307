"""COTAHIST files for tests, written field by field from B3's layout and knowing nothing of the reader."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import pytest

from export.data.b3.cotahist import Quotes, find_cotahist_files, read_cotahist
from export.errors import InputError

HEADER = f"{'00COTAHIST.2024BOVESPA 20241108':<245}"
DAY = datetime.date(2024, 11, 8)


def record(
    ticker: str = "PETR4",
    cents: int = 3618,
    day: datetime.date = DAY,
    *,
    bdi: str = "02",
    market: str = "010",
    name: str = "PETROBRAS",
    especi: str = "PN      N2",
    currency: str = "R$",
    volume: int = 1000,
    factor: int = 1,
    isin: str = "BRPETRACNPR6",
    distribution: int = 125,
) -> str:
    """One quote of 245 characters, all of its prices the same."""
    return (
        f"01{day:%Y%m%d}{bdi}{ticker:<12}{market}{name:<12}{especi:<10}{'':<3}{currency:<4}"
        f"{cents:013}{cents:013}{cents:013}{cents:013}{cents:013}{cents:013}{cents:013}"
        f"{7:05}{volume:018}{cents * volume:018}{0:013}0{99991231:08}{factor:07}{0:013}{isin:<12}{distribution:03}"
    )


def trailer(records: int) -> str:
    return f"{f'99COTAHIST.2024BOVESPA 20241108{records:011}':<245}"


def content(quotes: Sequence[str], newline: str = "\n") -> bytes:
    """A whole file around these quotes."""
    return "".join(line + newline for line in (HEADER, *quotes, trailer(len(quotes) + 2))).encode("latin-1")


def write_file(path: Path, *quotes: str, newline: str = "\n") -> Path:
    path.write_bytes(content(quotes, newline))
    return path


def read(*paths: Path, **wanted: Sequence[str]) -> Quotes:
    return read_cotahist(find_cotahist_files(paths), **wanted)


def refusal(*paths: Path, **wanted: Sequence[str]) -> str:
    """The one line with which these files are refused."""
    with pytest.raises(InputError) as caught:
        read(*paths, **wanted)
    message = str(caught.value)
    assert "\n" not in message
    assert "duckdb" not in message.lower()
    return message
