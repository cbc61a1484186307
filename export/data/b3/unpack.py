"""Unpacks one file from .zip or .gz, and refuses what would fill the disk or climb out of its folder."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Protocol

from export.errors import InputError

# A year of B3 quotes is half a gigabyte and packs 8 to 10 times smaller.
LARGEST = 8 << 30  # bytes unpacked
HIGHEST_RATIO, RATIO_FROM = 100, 16 << 20  # times its packed size, of what unpacks to more than these bytes
_STEP = 1 << 20


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def unpack(path: Path, folder: Path) -> Path:
    """The text of `path`: a copy in `folder`, which the caller clears, of what a .zip or .gz holds; else itself.

    Raises `InputError` naming the file: damaged, encrypted, not exactly one file inside, a member whose path
    climbs out, more than `LARGEST` bytes or `HIGHEST_RATIO` times its packed size.
    """
    unpacked = folder / f"{path.name}.txt"
    try:
        packed = path.stat().st_size
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive, archive.open(_only_member(archive, path)) as stream:
                _copy(stream, unpacked, path, packed)
        elif path.suffix.lower() == ".gz":
            with gzip.open(path) as unzipped:
                _copy(unzipped, unpacked, path, packed)
        else:
            return path
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError, IndexError):
        raise InputError(f"{path}: the {path.suffix[1:].upper()} data is damaged or cut short") from None
    except OSError as error:
        raise InputError(f"{path}: can't be unpacked ({error.strerror or error})") from None
    return unpacked


def _only_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in str(name):
            raise InputError(f"{path}: refused, its member {member.filename!r} climbs out of the folder")
    if len(members) != 1:
        names = ", ".join(repr(member.filename) for member in members[:3]) + ", …" * (len(members) > 3)
        raise InputError(f"{path}: holds {len(members)} files{': ' * bool(names)}{names}; it must hold one")
    if members[0].flag_bits & 1:
        raise InputError(f"{path}: is encrypted")
    if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{path}: packed by a method that is not read here; pack it as plain ZIP (deflate)")
    return members[0]


def _copy(stream: _Readable, to: Path, path: Path, packed: int) -> None:
    """Count as it comes: what an archive says of its own size is not trusted."""
    written = 0
    with to.open("wb") as file:
        while block := stream.read(_STEP):
            written += len(block)
            if written > LARGEST:
                raise InputError(f"{path}: refused, unpacks to more than {LARGEST >> 30} GiB")
            if written > max(RATIO_FROM, HIGHEST_RATIO * packed):
                raise InputError(f"{path}: refused, unpacks to more than {HIGHEST_RATIO} times its size")
            file.write(block)
