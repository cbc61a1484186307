"""Find price files, bring them here, and prove that each is what its name says, before any row is read."""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lambda_fn.tables.errors import InputRefused
from lambda_fn.tables.s3 import is_s3
from lambda_fn.tables.store import Store, open_store

ENDINGS = {".csv": "UTF-8 text", ".csv.gz": "gzip", ".parquet": "Parquet"}  # and what each says is inside
DOWNLOADS = 8  # at once; each is in parts of its own for a large object
_PIECE = 1 << 20  # bytes read at a time; holds any header
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"  # the first bytes; of Parquet the last ones too


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """A file that a place stands for, there or here."""

    store: Store
    key: str
    name: str  # as the user knows it

    def fetch(self, folder: Path) -> Path:
        """A local path of the file, in `folder` if it is on S3; raises `InputRefused` where it is gone."""
        path = self.store.fetch(self.key, folder)
        if path is None:
            kind = "object" if is_s3(self.name) else "file"
            raise InputRefused(f"{shown(self.name)}: no such {kind}", is_missing=True)
        return path


@dataclasses.dataclass(frozen=True)
class PriceFile:
    """A price file that is here, whole."""

    path: Path  # to read; for .csv.gz it is unpacked already
    name: str  # as the user knows it
    ending: str  # a key of ENDINGS
    sha256: str  # of the file as it came
    bytes: int
    first_lines: tuple[str, ...]  # of a CSV, three at most; none of Parquet, which knows its columns
    source: Path  # as it came
    stamp: tuple[int, int]  # size and time of change, before the digest was made

    def __str__(self) -> str:
        return shown(self.name)

    @property
    def short_name(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    @property
    def is_parquet(self) -> bool:
        """True if it is Parquet and not text."""
        return self.ending == ".parquet"

    def place(self, row: int) -> str:
        """The place of a row: the line an editor shows, header = 1; for Parquet the row, first = 1."""
        return f"{self} {'row' if self.is_parquet else 'line'} {row}"


def open_price_files(
    places: Sequence[str], folder: Path, on_file: Callable[[str], None] = lambda _: None
) -> list[PriceFile]:
    """Find and fetch the price files of these places, sorted by name within each; copies are in `folder`.

    A place is a file, a folder, an object of S3, or a prefix of which every object directly in it is taken. `on_file`
    hears each name. Raises `InputRefused` naming what is missing, empty, damaged, or not what its
    ending promises.
    """
    stored = [file for place in places for file in find_files(place, ENDINGS)]
    if not stored:
        raise InputRefused("no file of prices was named")

    def bring(number: int) -> PriceFile:
        file = stored[number]
        on_file(file.name)
        copies = folder / f"{number:06}"
        with _readable(file.name):
            return _prove(file.fetch(copies), file.name, copies)

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        return list(pool.map(bring, range(len(stored))))


def find_files(place: str, endings: Iterable[str]) -> list[StoredFile]:
    """The file of this name or, for a folder or a prefix of S3, the files directly in it with such an ending, sorted.

    Raises `InputRefused` naming the place.
    """
    known = tuple(endings)
    _check_name(place)
    with _readable(place):
        ending, there, path = _ending(place, known), is_s3(place), Path(place)
        if ending and (there or not path.is_dir()):
            if not there and path.exists() and not path.is_file():
                raise InputRefused(f"{shown(place)}: not a file")
            folder, slash, key = place.rpartition("/")
            return [StoredFile(open_store(folder + slash or "."), key, place)]
        if not there and not path.exists():
            raise InputRefused(f"{shown(place)}: no such file or folder", is_missing=True)
        if not there and not path.is_dir():
            raise InputRefused(f"{shown(place)}: unknown ending; a price file ends in {_listed(known)}")
    folder = place.rstrip("/") or "/"
    store = open_store(folder)
    keys = [key for key in store.files("") if _ending(key, known)]
    if not keys:
        what = "object directly under this prefix" if there else "file in this folder"
        raise InputRefused(f"{shown(place)}: no {what} ends in {_listed(known)}")
    names = [f"{folder}/{key}" if there else str(Path(folder) / key) for key in keys]
    for name in names:
        _check_name(name)
    return [StoredFile(store, key, name) for key, name in zip(keys, names, strict=True)]


def check_unchanged(files: Sequence[PriceFile]) -> None:
    """Refuse, by a `InputRefused`, a file that is not what its digest was made of any more."""
    for file in files:
        try:
            unchanged = _stamp(file.source) == file.stamp
        except OSError:
            unchanged = False
        if not unchanged:
            raise InputRefused(f"{file}: changed while it was read; start the run again")


def shown(name: str) -> str:
    """A file's name as it stands in a message: on one line."""
    return name if name.isprintable() else repr(name)


def _prove(path: Path, name: str, folder: Path) -> PriceFile:
    """The file with its digest, once its first bytes are what the ending promises and nothing is cut off."""
    ending = _ending(name, tuple(ENDINGS))
    source, stamp, sha = path, _stamp(path), hashlib.sha256()
    size, _ = stamp
    with path.open("rb") as stream:
        head = tail = stream.read(_PIECE)
        sha.update(head)
        while piece := stream.read(_PIECE):
            sha.update(piece)
            tail = (tail + piece)[-len(_PARQUET) :]
    if not head:
        raise InputRefused(f"{shown(name)}: empty file")
    _expect(name, head, ENDINGS[ending])
    if ending == ".parquet" and (size < 12 or not tail.endswith(_PARQUET)):  # magic, length of the footer, magic
        raise InputRefused(f"{shown(name)}: the Parquet data is cut short")
    if ending == ".csv.gz":
        path, head = _unpack(path, folder)
        _expect(name, head, ENDINGS[".csv"], wrapping="gzipped ")
    lines = () if ending == ".parquet" else _first_lines(head, name)
    return PriceFile(path, name, ending, sha.hexdigest(), size, lines, source, stamp)


def _expect(name: str, head: bytes, promise: str, wrapping: str = "") -> None:
    """Refuse a file whose first bytes are not what its name promises."""
    if head.startswith(_GZIP):
        content = "gzip"
    elif head.startswith(_PARQUET):
        content = "Parquet"
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = "UTF-16 text"
    elif b"\0" in head:
        content = "binary data"
    else:  # a later line that is no UTF-8 is named when DuckDB meets it
        content = ENDINGS[".csv"]
    if content != promise:
        raise InputRefused(f"{shown(name)}: holds {wrapping}{content}, not the {wrapping}{promise} its name promises")


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _unpack(path: Path, folder: Path) -> tuple[Path, bytes]:
    """The path of a gzip file's content, and its beginning. DuckDB would not verify its checksum."""
    unpacked = folder / "unpacked" / path.name  # a series of Yahoo's is called like its file
    unpacked.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path) as source, unpacked.open("wb") as target:
        head = piece = source.read(_PIECE)
        while piece:
            target.write(piece)
            piece = source.read(_PIECE)
    return unpacked, head


def _first_lines(head: bytes, name: str) -> tuple[str, ...]:
    text = head.removeprefix(codecs.BOM_UTF8)
    if not text.strip():
        raise InputRefused(f"{shown(name)}: empty file")
    header, *below = text.splitlines()[:3]
    try:
        return header.decode("utf-8"), *(line.decode("utf-8", "replace") for line in below)
    except UnicodeDecodeError:
        raise InputRefused(f"{shown(name)} line 1: not UTF-8 text; save the file as UTF-8") from None


def _check_name(name: str) -> None:
    """Refuse a name that DuckDB can't be handed."""
    try:
        (name if is_s3(name) else os.path.abspath(name)).encode()
    except UnicodeEncodeError:
        raise InputRefused(f"{name!r}: rename it; the name has bytes that are not UTF-8 text") from None


def _ending(name: str, endings: Sequence[str]) -> str:
    return next((ending for ending in endings if name.lower().endswith(ending)), "")


def _listed(endings: Sequence[str]) -> str:
    *others, last = endings
    return f"{', '.join(others)} or {last}"


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    """Say in one line why the system or gzip would not give the bytes of a file."""
    try:
        yield
    except EOFError:
        raise InputRefused(f"{shown(name)}: the gzip data is cut short") from None
    except (gzip.BadGzipFile, zlib.error):
        raise InputRefused(f"{shown(name)}: the gzip data is damaged") from None
    except OSError as error:
        raise InputRefused(f"{shown(name)}: can't be read ({error.strerror or error})") from None
