"""Size, zipped size and digest of a package's folder."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path


def digest(folder: Path) -> str:
    """Compute one SHA-256 over every path and content of a folder."""
    whole = hashlib.sha256()
    for path in files(folder):
        whole.update(path.relative_to(folder).as_posix().encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def size(folder: Path) -> int:
    """Count the bytes of all files, as Lambda counts them against its limit."""
    return sum(path.stat().st_size for path in files(folder))


def zipped(folder: Path) -> int:
    """Count the bytes of the package as SAM will zip it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files(folder):
            archive.write(path, path.relative_to(folder))
    return buffer.getbuffer().nbytes


def files(folder: Path) -> list[Path]:
    """List every file below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
