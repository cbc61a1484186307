"""One COTAHIST file into the table of quotes: all of it or, by an error that names the line, none."""

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
from export.data.price_sql import SETTINGS
from export.data.s3 import temporary_folder
from export.errors import InputError

_TO_ASCII = bytes(byte if byte == ord("\n") or 32 <= byte < 127 else ord("?") for byte in range(256))


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which quotes of a file are read."""

    markets: Sequence[str]  # TPMERC
    bdi_codes: Sequence[str]  # CODBDI
    tickers: Sequence[str] = ()  # CODNEG; none: all


def add_file(database: duckdb.DuckDBPyConnection, number: int, file: Path, wanted: Wanted) -> None:
    """Add the wanted quotes of `file` to `quotes`, or raise `InputError` naming file, line, field and value."""
    with temporary_folder() as scratch:
        text = unpack(file, scratch)
        try:
            _check_header(text, file)
            if not _scan(database, number, text, wanted):
                text = _plain(text, scratch / "plain.txt")
                if not _scan(database, number, text, wanted):
                    raise _explain(database, text, file, wanted)
        except duckdb.OutOfMemoryException:
            raise InputError(f"{file}: holds more than fits into memory; name fewer files, or --ticker") from None
        except duckdb.Error:  # a line of megabytes
            raise InputError(f"{file}: can't be read as lines of text; a record has {RECORD} characters") from None
        except OSError as error:
            raise InputError(f"{file}: can't be read ({error.strerror})") from None


def find_line(file: Path, unique_id: str, ds: datetime.date, y: float, volume: int, wanted: Wanted) -> str:
    """Where a quote stands, for a message: the file and the line."""
    with temporary_folder() as scratch, duckdb.connect(":memory:", config=SETTINGS) as database:
        text = _plain(unpack(file, scratch), scratch / "plain.txt")
        query = position(text, wanted.markets, wanted.bdi_codes)
        row, *_ = database.execute(query, [unique_id, ds, y, volume]).fetchone() or ("?",)
    return f"{file} line {row}"


def _scan(database: duckdb.DuckDBPyConnection, number: int, text: Path, wanted: Wanted) -> bool:
    """Whether every record is sound: then the wanted quotes are in the table, else none."""
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
    """How many records the trailer counts, if the lines that are no quotes are a header and a trailer."""
    if len(rest) == 2 and rest[0].startswith("00") and {len(line) for line in rest} == {RECORD}:
        found = re.fullmatch(r"99.{29}([0-9]{11}).*", rest[1])
        return int(found[1]) if found else None
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
    """How many records there are where each is whole and ASCII, which is cheaper to know than to count; else 0."""
    with text.open("rb") as stream:
        newline = 2 if stream.read(RECORD + 2).endswith(b"\r\n") else 1
        size = os.fstat(stream.fileno()).st_size
        stream.seek(max(0, size - RECORD - newline))
        last = stream.read().rstrip(b"\r\n").rpartition(b"\n")[2]
    records, rest = divmod(size + newline, RECORD + newline)
    return records if last.startswith(b"99") and rest in (0, newline) else 0  # the last may go without its end


def _explain(database: duckdb.DuckDBPyConnection, text: Path, file: Path, wanted: Wanted) -> InputError:
    """What is wrong with a file that was refused: read again, this time with the numbers of its lines."""
    found = database.execute(first_fault(text, wanted.markets, wanted.bdi_codes)).fetchone()
    if found:
        return InputError(_describe(file, *found))
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
