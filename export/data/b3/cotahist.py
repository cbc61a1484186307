"""Reads B3's COTAHIST files: closes as published, and the signs of corporate actions beside them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from export.data.b3.cotahist_file import Wanted, add_file, find_line
from export.data.b3.cotahist_sql import PREPARE
from export.data.price_table import Prices, starts_of
from export.errors import InputError
from lambda_fn.tables.sql import SETTINGS, quote
from lambda_fn.tables.store import scratch

ENDINGS = (".txt", ".zip", ".gz")
CASH_MARKET, ROUND_LOTS, ETFS = "010", "02", "14"  # TPMERC and CODBDI
_SETTINGS = {**SETTINGS, "memory_limit": "1GB"}  # the table of quotes; lines pass through in blocks


@dataclasses.dataclass(frozen=True)
class Event:
    """A session on which a paper changed its rights: probably an ex-date."""

    unique_id: str
    previous_ds: datetime.date  # the session before it on which the paper traded
    ds: datetime.date
    reason: str  # "ED", "distribution 125 → 126", "ISIN … → …", "currency CR$ → R$"


@dataclasses.dataclass(frozen=True, eq=False)
class Quotes:
    """Unadjusted closes as B3 published them, the shares traded, and the suspected ex-dates."""

    prices: Prices
    volume: NDArray[np.int64]  # (rows,) QUATOT, shares traded
    events: tuple[Event, ...]  # ordered by unique_id and ds


def find_cotahist_files(paths: Sequence[Path]) -> list[Path]:
    """The files named and, for a folder, the .txt, .zip and .gz files directly in it, sorted by name.

    Raises `InputError` naming the path: nothing there, no permission, a folder without such files.
    """
    every = []
    for path in paths:
        try:
            files = [path]
            if path.is_dir():
                visible = [file for file in sorted(path.iterdir()) if not file.name.startswith(".")]
                files = [file for file in visible if file.suffix.lower() in ENDINGS and file.is_file()]
            elif not path.is_file():
                raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
        except OSError as error:
            raise InputError(f"{path}: can't be read ({error.strerror})") from None
        if not files:
            raise InputError(f"{path}: no file in this folder ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
        every += files
    return every


def read_cotahist(
    files: Sequence[Path],
    *,
    markets: Sequence[str] = (CASH_MARKET,),
    bdi_codes: Sequence[str] = (ROUND_LOTS,),
    tickers: Sequence[str] = (),
    on_file: Callable[[int], None] = lambda _: None,
) -> Quotes:
    """The closes of these markets (TPMERC) and BDI codes (CODBDI), per share: PREULT / 100 / FATCOT.

    Every record's length and type is checked, and the trailer's count; of the quotes wanted every number and
    date. A day given twice, as by an annual and a daily file, counts once. `tickers` are all, or those alone.
    `on_file` hears the position of each file before it is read. Lines pass through memory in blocks; what stays
    is the wanted quotes. Raises `InputError` naming file, line, field and value.
    """
    wanted = Wanted(markets, bdi_codes, tickers)
    with scratch() as folder, duckdb.connect(":memory:", config=_SETTINGS) as database:
        database.execute(f"SET temp_directory = {quote(str(folder), chr(39))}")
        database.execute(PREPARE)
        for number, file in enumerate(files):
            on_file(number)
            add_file(database, number, file, wanted)
        return _quotes_of(database, files, wanted)


def _quotes_of(database: duckdb.DuckDBPyConnection, files: Sequence[Path], wanted: Wanted) -> Quotes:
    merged = _merge(database, files, wanted)
    series = database.execute("""
        SELECT unique_id, count(*), min(terms) <> max(terms) OR min(paper) <> max(paper) FROM quotes
        GROUP BY unique_id ORDER BY unique_id""").fetchall()
    ids = tuple(unique_id for unique_id, *_ in series)
    if missing := sorted(set(wanted.tickers) - set(ids)):
        raise InputError(f"--ticker {missing[0]}: these files have no quote of it in {_kinds(wanted)}")
    if not ids:
        raise InputError(f"{files[0]}: no quote in {_kinds(wanted)}")
    table = database.execute("SELECT ds, y, volume FROM quotes ORDER BY unique_id, ds").fetchnumpy()
    notes = (f"quotes given twice, counted once: {merged:,}",) if merged else ()
    starts = starts_of(np.array([count for _, count, _ in series], dtype=np.int64))
    sources = tuple(str(file) for file in files)
    prices = Prices(ids, starts, table["ds"].astype("datetime64[D]"), table["y"], sources, notes)
    return Quotes(
        prices, table["volume"].astype(np.int64), _events(database, [i for i, _, changes in series if changes])
    )


def _merge(database: duckdb.DuckDBPyConnection, files: Sequence[Path], wanted: Wanted) -> int:
    """Keep one quote for each paper and day, and say how many went; two at other prices or volumes are an error."""
    repeats = database.execute("""
        SELECT unique_id, ds, min(y) <> max(y) OR min(volume) <> max(volume) AS differ, count(*) - 1 FROM quotes
        GROUP BY unique_id, ds HAVING count(*) > 1 ORDER BY differ DESC, ds, unique_id""").fetchall()
    if not repeats:
        return 0
    unique_id, ds, differ, _ = repeats[0]
    if differ:
        first, *others = database.execute(
            "SELECT file, y, volume FROM quotes WHERE unique_id = $1 AND ds = $2 ORDER BY ALL", [unique_id, ds]
        ).fetchall()
        other = next(quote for quote in others if quote[1:] != first[1:])
        closes = [f"{y}" if first[1] != other[1] else f"{y} with {volume:,} shares" for _, y, volume in (first, other)]
        places = [find_line(files[number], unique_id, ds, y, volume, wanted) for number, y, volume in (first, other)]
        raise InputError(f"{places[1]}: {unique_id} on {ds} is {closes[1]}, but {closes[0]} at {places[0]}")
    database.execute("""
        CREATE TABLE days AS SELECT DISTINCT ON (unique_id, ds) * FROM quotes ORDER BY ALL;
        DROP TABLE quotes; ALTER TABLE days RENAME TO quotes""")
    return sum(count for *_, count in repeats)


def _events(database: duckdb.DuckDBPyConnection, changing: Sequence[str]) -> tuple[Event, ...]:
    """Sessions on which a paper's distribution number, ex-mark, ISIN or currency is not that of the session before.

    `changing` are the tickers of which one of these ever changes.
    """
    if not changing:
        return ()
    changes = database.execute(
        """
        SELECT unique_id, before.ds, ds, ex_mark(terms), before.paper[13:], paper[13:], before.paper[:12], paper[:12],
            trim(before.terms[14:]), trim(terms[14:])
        FROM (
            SELECT *, lag({'ds': ds, 'terms': terms, 'paper': paper})
                OVER (PARTITION BY unique_id ORDER BY ds) AS before
            FROM quotes WHERE list_contains($changing, unique_id))
        WHERE paper <> before.paper OR (terms <> before.terms AND (terms[14:] <> before.terms[14:]
            OR (ex_mark(terms) <> '' AND ex_mark(terms) <> ex_mark(before.terms))))
        ORDER BY unique_id, ds""",
        {"changing": list(changing)},
    ).fetchall()
    return tuple(Event(unique_id, before, ds, _reason(*signs)) for unique_id, before, ds, *signs in changes)


def _reason(
    mark: str, distribution: str, new_distribution: str, isin: str, new_isin: str, currency: str, new_currency: str
) -> str:
    reasons = [mark] if mark else []
    if new_isin != isin:
        reasons.append(f"ISIN {isin} → {new_isin}")
    elif new_distribution != distribution and not mark:
        reasons.append(f"distribution {distribution} → {new_distribution}")
    if new_currency != currency:
        reasons.append(f"currency {currency} → {new_currency}")
    return ", ".join(reasons)


def _kinds(wanted: Wanted) -> str:
    return f"market (TPMERC) {' or '.join(wanted.markets)} with BDI code (CODBDI) {' or '.join(wanted.bdi_codes)}"
