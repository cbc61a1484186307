"""Read one COTAHIST file into the table of quotes: all of it or, by an error that names the line, none."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from export.data.b3.cotahist_sql import DROP_REST, RECORD, first_fault, position, scan_file, trailers
from export.data.b3.unpack import unpack
from export.errors import InputError
from lambda_fn.tables.sql import SETTINGS
from lambda_fn.tables.store import scratch

_TO_ASCII = bytes(byte if byte == ord("\n") or 32 <= byte < 127 else ord("?") for byte in range(256))


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Filter of the quotes that are read."""

    markets: Sequence[str]  # TPMERC
    bdi_codes: Sequence[str]  # CODBDI
    tickers: Sequence[str] = ()  # CODNEG; none: all


def add_file(database: duckdb.DuckDBPyConnection, number: int, file: Path, wanted: Wanted) -> None:
    """Add the wanted quotes of `file` to `quotes`, or raise `InputError` naming file, line, field and value."""
    with scratch() as folder:
        text = unpack(file, folder)
        try:
            _check_header(text, file)
            if not _scan(database, number, text, wanted):
                text = _plain(text, folder / "plain.txt")
                if not _scan(database, number, text, wanted):
                    raise _explain(database, text, file, wanted)
        except duckdb.OutOfMemoryException:
            raise InputError(f"{file}: holds more than fits into memory; name fewer files, or --ticker") from None
        except duckdb.Error:  # a line of megabytes
            raise InputError(f"{file}: can't be read as lines of text; a record has {RECORD} characters") from None
        except OSError as error:
            raise InputError(f"{file}: can't be read ({error.strerror})") from None


def find_line(file: Path, unique_id: str, ds: datetime.date, y: float, volume: int, wanted: Wanted) -> str:
    """The file and line of a quote, for a message."""
    with scratch() as folder, duckdb.connect(":memory:", config=SETTINGS) as database:
        text = _plain(unpack(file, folder), folder / "plain.txt")
        query = position(text, wanted.markets, wanted.bdi_codes)
        row, *_ = database.execute(query, [unique_id, ds, y, volume]).fetchone() or ("?",)
    return f"{file} line {row}"


def _scan(database: duckdb.DuckDBPyConnection, number: int, text: Path, wanted: Wanted) -> bool:
    """Insert the wanted quotes if every record is sound; return whether they are in the table, all or none."""
    try:
        database.execute(scan_file(text, number, wanted.markets, wanted.bdi_codes))
    except duckdb.InvalidInputException:  # not UTF-8
        return False
    rest = database.execute("SELECT rest FROM quotes WHERE rest IS NOT NULL ORDER BY rest LIMIT 3").fetchall()
    if _trailer_count([line for (line,) in rest]) == _records_by_size(text):
        database.execute(DROP_REST, {"tickers": list(wanted.tickers)})
        return True
    database.execute("DELETE FROM quotes WHERE file = $1", [number])
    return False


def _plain(text: Path, copy: Path) -> Path:
    """A copy in which every character is one byte that can be seen, and every line ends in the same way.

    COTAHIST is latin-1, and as long as no letter has an accent that is UTF-8, which is read at once.
    """
    with text.open("rb") as source, copy.open("wb") as target:
        while block := source.read(1 << 20):
            if block.endswith(b"\r"):  # half of a line's end
                block += source.read(1)
            target.write(block.replace(b"\r\n", b"\n").translate(_TO_ASCII))
    return copy


def _trailer_count(rest: Sequence[str]) -> int | None:
    """The trailer's count of records, if the lines that are no quotes are a header and a trailer."""
    if len(rest) == 2 and rest[0].startswith("00") and {len(line) for line in rest} == {RECORD}:
        count = re.fullmatch(r"99.{29}([0-9]{11}).*", rest[1])
        return int(count[1]) if count else None
    return None


def _check_header(text: Path, file: Path) -> None:
    with text.open("rb") as stream:
        head = stream.read(RECORD)
    if not head.strip():
        raise InputError(f"{file}: empty file")
    if not head.startswith(b"00COTAHIST"):
        start = head[:12].split(b"\n")[0].decode("latin-1")
        raise InputError(f"{file} line 1: begins with {start!r}, not with a COTAHIST header, '00COTAHIST'")


def _records_by_size(text: Path) -> int:
    """The number of records by the file's size, where each is whole and ASCII; else 0. Cheaper than to count them."""
    with text.open("rb") as stream:
        newline = 2 if stream.read(RECORD + 2).endswith(b"\r\n") else 1
        size = os.fstat(stream.fileno()).st_size
        stream.seek(max(0, size - RECORD - newline))
        last = stream.read().rstrip(b"\r\n").rpartition(b"\n")[2]
    records, rest = divmod(size + newline, RECORD + newline)
    return records if last.startswith(b"99") and rest in (0, newline) else 0  # the last may go without its end


def _explain(database: duckdb.DuckDBPyConnection, text: Path, file: Path, wanted: Wanted) -> InputError:
    """Find what is wrong with a refused file: read it again, this time with the numbers of its lines."""
    fault = database.execute(first_fault(text, wanted.markets, wanted.bdi_codes)).fetchone()
    if fault:
        return InputError(_describe(file, *fault))
    [(records, ends)] = database.execute(trailers(text)).fetchall()
    if not ends:
        return InputError(f"{file} line {records}: the last record is no trailer (99); the file is cut short")
    if ends[0] != records:
        return InputError(f"{file} line {ends[0]}: a trailer (99) that is not the last of {records:,} records")
    return InputError(f"{file} line {records}: the trailer does not count the {records:,} records of the file")


def _describe(file: Path, row: int, length: int, kind: str, field: str, value: str, reason: str) -> str:
    place = f"{file} line {row}"
    if field == "length":
        return f"{place}: {length} characters where a record has {RECORD}"
    if field == "type":
        return f"{place}: {value!r} is no record type; known are 00 (header), 01 (quote) and 99 (trailer)"
    if field == "header":
        return f"{place}: a record of type {kind} where {'a header (00) must' if row == 1 else 'none can'} stand"
    return f"{place}: {field} is {value!r}, {reason}"
