"""Finds the price files of a batch run, brings them here, and proves that each is what its name says."""

from __future__ import annotations

import codecs
import dataclasses
import gzip
import hashlib
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lambda_fn.tables.store import SCHEME, Store, is_s3, open_store

ENDINGS = (".csv", ".csv.gz", ".parquet")
DOWNLOADS = 8  # at once; each is in parts of its own for a large object
_PIECE = 1 << 20  # bytes read at a time; holds any header
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"


class InputRefused(Exception):
    """The input can't be read; the message names the file."""


@dataclasses.dataclass(frozen=True)
class InputFile:
    """A price file that is here, whole."""

    path: Path  # to read; for .csv.gz it is unpacked already
    name: str  # as the user knows it
    ending: str
    sha256: str  # of the file as it came
    bytes: int
    header: str  # the first line of a CSV; empty for Parquet
    source: Path  # as it came
    stamp: tuple[int, int]  # size and time of change, before the digest was made

    @property
    def short_name(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]


def open_inputs(
    places: Sequence[str], folder: Path, on_file: Callable[[str], None] = lambda _: None
) -> list[InputFile]:
    """The files that these places stand for, sorted by name within each place; copies are in `folder`.

    A place is a file, a folder, an object of S3, or a prefix of which every object directly in it is taken.
    Raises `InputRefused` naming what is missing, empty, damaged, or not what its ending promises.
    """
    found: list[tuple[Store, str, str]] = []
    for place in places:
        found += _expand(place)
    if not found:
        raise InputRefused("no file of prices was named")

    def bring(number: int) -> InputFile:
        store, key, name = found[number]
        on_file(name)
        copy = folder / f"{number:06}"
        path = store.fetch(key, copy)
        if path is None:
            raise InputRefused(f"{name}: no such {'object' if is_s3(name) else 'file'}")
        return _prove(path, name, copy)

    for _, _, name in found:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputRefused(f"{name!r}: rename it; the name has bytes that are not UTF-8 text") from None
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        return list(pool.map(bring, range(len(found))))


def check_unchanged(files: Sequence[InputFile]) -> None:
    """Refuse, by an `InputRefused`, a file that is not what its digest was made of any more."""
    for file in files:
        try:
            unchanged = _stamp(file.source) == file.stamp
        except OSError:
            unchanged = False
        if not unchanged:
            raise InputRefused(f"{file.name}: changed while it was read; start the run again")


def _expand(place: str) -> list[tuple[Store, str, str]]:
    """Store, key and name of each file of a place."""
    if is_s3(place) and "//" in place[len(SCHEME) :]:
        raise InputRefused(f"{place}: a key with an empty part can't be read; copy the object to another key")
    is_file = _ending(place) and (is_s3(place) or not Path(place).is_dir())
    if is_file:
        folder, _, key = place.rpartition("/")
        return [(open_store(folder or ("/" if place.startswith("/") else ".")), key, place)]
    if not is_s3(place):
        if not Path(place).exists():
            raise InputRefused(f"{place}: no such file or folder")
        if not Path(place).is_dir():
            raise InputRefused(f"{place}: unknown ending; a price file ends in {_known_endings()}")
    folder = place.rstrip("/") or "/"
    store = open_store(folder)
    keys = [key for key in store.children("") if _ending(key)]
    if not keys:
        what = "object directly under this prefix" if is_s3(place) else "file in this folder"
        raise InputRefused(f"{place}: no {what} ends in {_known_endings()}")
    return [(store, key, f"{folder.rstrip('/')}/{key}") for key in keys]


def _prove(path: Path, name: str, folder: Path) -> InputFile:
    """The file with its digest, once its first bytes are what the ending promises and nothing is cut off."""
    ending = _ending(name)
    try:
        source, stamp, sha = path, _stamp(path), hashlib.sha256()
        size, _ = stamp
        with path.open("rb") as stream:
            head = tail = stream.read(_PIECE)
            sha.update(head)
            while piece := stream.read(_PIECE):
                sha.update(piece)
                tail = (tail + piece)[-len(_PARQUET) :]
        if ending == ".csv.gz":
            path, head = _unpack(path, folder, name)
    except OSError as error:
        raise InputRefused(f"{name}: can't be read ({error.strerror or error})") from None
    if not head:
        raise InputRefused(f"{name}: empty file")
    if ending == ".parquet":
        if not head.startswith(_PARQUET):
            raise InputRefused(f"{name}: holds no Parquet")
        if size < 12 or not tail.endswith(_PARQUET):
            raise InputRefused(f"{name}: the Parquet data is cut short")
    elif b"\0" in head or head.startswith((_GZIP, _PARQUET)):
        raise InputRefused(f"{name}: holds no UTF-8 text")
    header = "" if ending == ".parquet" else _first_line(head, name)
    return InputFile(path, name, ending, sha.hexdigest(), size, header, source, stamp)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _unpack(path: Path, folder: Path, name: str) -> tuple[Path, bytes]:
    """Where a gzip file's content now is, and its beginning. DuckDB would not verify its checksum."""
    unpacked = folder / "unpacked" / path.name  # a series of Yahoo's is called like its file
    unpacked.parent.mkdir(parents=True, exist_ok=True)
    try:
        with gzip.open(path) as source, unpacked.open("wb") as target:
            head = piece = source.read(_PIECE)
            while piece:
                target.write(piece)
                piece = source.read(_PIECE)
    except EOFError:
        raise InputRefused(f"{name}: the gzip data is cut short") from None
    except (gzip.BadGzipFile, zlib.error):
        raise InputRefused(f"{name}: the gzip data is damaged") from None
    return unpacked, head


def _first_line(head: bytes, name: str) -> str:
    lines = head.removeprefix(codecs.BOM_UTF8).splitlines()
    try:
        return lines[0].decode("utf-8") if lines else ""
    except UnicodeDecodeError:
        raise InputRefused(f"{name} line 1: not UTF-8 text; save the file as UTF-8") from None


def _ending(name: str) -> str:
    return next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")


def _known_endings() -> str:
    *others, last = ENDINGS
    return f"{', '.join(others)} or {last}"
