"""Finds price files and proves that each is what its name says, before any row of it is read."""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from export.errors import InputError

PROMISES = {".csv": "UTF-8 text", ".csv.gz": "gzip", ".parquet": "Parquet"}  # what each ending says is inside

_HEAD_BYTES = 1 << 20  # holds any header; also the step in which gzip is read to its end
_GZIP_MAGIC = b"\x1f\x8b"
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\ud800-\udfff]")  # control characters, and bytes that are no UTF-8
_PARQUET_MAGIC = b"PAR1"  # the first and the last four bytes


@dataclasses.dataclass(frozen=True)
class PriceFile:
    """A file whose first bytes are what its ending says, and whose gzip, if any, is whole."""

    path: Path  # as the user named it
    ending: str  # a key of PROMISES
    header: str  # the first line of a CSV; empty for Parquet, which knows its columns
    below: tuple[str, ...] = ()  # the next two lines of a CSV, as far as there are any

    def __str__(self) -> str:
        return str(self.path)

    def place(self, row: int) -> str:
        """Where a row stands: the line an editor shows, header = 1; for Parquet the row, first = 1."""
        return f"{self.path} {'row' if self.ending == '.parquet' else 'line'} {row}"

    @property
    def series_name(self) -> str:
        """The unique_id of a file that holds one unnamed series: PETR4.SA for PETR4.SA.yahoo.csv.gz."""
        stem = self.path.name[: -len(self.ending)]
        return stem[: -len(".yahoo")] if stem.lower().endswith(".yahoo") else stem

    def explain_refusal(self) -> InputError:
        """Why DuckDB could not read this file: found by looking, so that its own words never show."""
        if self.ending == ".parquet":
            return InputError(f"{self}: the Parquet data is damaged")
        with gzip.open(self.path) if self.ending == ".csv.gz" else self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    return InputError(f"{self.place(number)}: not UTF-8 text; save the file as UTF-8")
        return InputError(f"{self}: cannot be read as lines of comma-separated fields")


def find_price_files(paths: Sequence[Path]) -> list[PriceFile]:
    """The files named and, for a folder, the price files directly in it, sorted by name.

    Raises `InputError` naming the path: nothing there, an unknown ending, an empty file, a folder
    without price files, content that is not what the ending says, gzip that is cut short or damaged.
    """
    if not paths:
        raise InputError("no file of prices was named")
    return [_prove(file, _ending(file)) for path in paths for file in _expand(path)]


def _expand(path: Path) -> list[Path]:
    with _readable(path):
        if not path.is_dir():
            return [path]
        # a hidden file is none of the user's: macOS leaves a binary ._prices.csv beside prices.csv
        visible = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        files = [file for file in visible if _ending(file) and not file.is_dir()]
    if not files:
        raise InputError(f"{path}: no file in this folder ends in {_known_endings()}")
    return files


def _prove(path: Path, ending: str) -> PriceFile:
    with _readable(path):
        if _UNSPEAKABLE.search(os.path.abspath(path)):
            raise InputError(f"{str(path)!r}: rename it; the path has characters that are not UTF-8 text")
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if not path.is_file():
            raise InputError(f"{path}: not a file")
        if not ending:
            raise InputError(f"{path}: unknown ending; a price file ends in {_known_endings()}")
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            size = path.stat().st_size
            stream.seek(max(0, size - len(_PARQUET_MAGIC)))
            tail = stream.read()
    if not head:
        raise InputError(f"{path}: empty file")
    _expect(path, head, PROMISES[ending])
    if ending == ".parquet":
        if tail != _PARQUET_MAGIC or size < 12:  # magic, length of the footer, magic
            raise InputError(f"{path}: the Parquet data is cut short")
        return PriceFile(path, ending, header="")
    if ending == ".csv.gz":
        head = _gunzip(path)
        _expect(path, head, PROMISES[".csv"], wrapping="gzipped ")
    return PriceFile(path, ending, *_first_lines(path, head))


def _gunzip(path: Path) -> bytes:
    """The first bytes inside. The rest is read as well, because DuckDB does not verify gzip's checksum."""
    with _readable(path), gzip.open(path) as stream:
        head = stream.read(_HEAD_BYTES)
        while stream.read(_HEAD_BYTES):
            pass
    return head


def _first_lines(path: Path, head: bytes) -> tuple[str, tuple[str, ...]]:
    text = head.removeprefix(codecs.BOM_UTF8)
    if not text.strip():
        raise InputError(f"{path}: empty file")
    header, *below = text.splitlines()[:3]
    try:
        return header.decode("utf-8"), tuple(line.decode("utf-8", "replace") for line in below)
    except UnicodeDecodeError:
        raise InputError(f"{path} line 1: not UTF-8 text; save the file as UTF-8") from None


def _expect(path: Path, head: bytes, promise: str, wrapping: str = "") -> None:
    """Refuse a file whose first bytes are not what its name promises."""
    if head.startswith(_GZIP_MAGIC):
        found = "gzip"
    elif head.startswith(_PARQUET_MAGIC):
        found = "Parquet"
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found = "UTF-16 text"
    elif b"\0" in head:
        found = "binary data"
    else:  # a later line that is no UTF-8 is named when DuckDB meets it
        found = PROMISES[".csv"]
    if found != promise:
        raise InputError(f"{path}: holds {wrapping}{found}, not the {wrapping}{promise} its name promises")


def _ending(path: Path) -> str:
    return next((ending for ending in PROMISES if path.name.lower().endswith(ending)), "")


def _known_endings() -> str:
    *others, last = PROMISES
    return f"{', '.join(others)} or {last}"


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say in one line why the system or gzip would not give the bytes of `path`."""
    try:
        yield
    except EOFError:
        raise InputError(f"{path}: the gzip data is cut short") from None
    except (gzip.BadGzipFile, zlib.error):
        raise InputError(f"{path}: the gzip data is damaged") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
