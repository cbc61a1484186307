"""Files in a local folder or under a prefix of S3, by key: each is there whole or not at all.

S3 is read and written by boto3, to and from local files: DuckDB sees local paths only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from lambda_fn.tables.errors import StoreRefused
from lambda_fn.tables.s3 import S3Store, is_s3


class Store(Protocol):
    """Files by key, such as `runs/2026-11-20/…/plan.json`, below one place."""

    uri: str

    def read(self, key: str) -> bytes | None:
        """The content, or None where there is no such file."""

    def fetch(self, key: str, folder: Path) -> Path | None:
        """A local path of the file, in `folder` if it must be copied; None where there is no such file."""

    def put(self, key: str, content: bytes | Path) -> None:
        """Write or replace the file."""

    def put_new(self, key: str, content: bytes | Path) -> bool:
        """Write the file unless there is one; return whether it was written. Of two writers at once one wins."""

    def files(self, prefix: str) -> list[str]:
        """The names of files directly below `prefix` (empty, or ending in /), sorted; of a folder no hidden ones."""

    def children(self, prefix: str) -> list[str]:
        """The names of files and folders directly below `prefix`, likewise."""


def open_store(uri: str) -> Store:
    """The store at a folder or at `s3://bucket/prefix`; nothing is read or written yet."""
    return S3Store(uri) if is_s3(uri) else LocalStore(uri)


@contextlib.contextmanager
def scratch(beside: Path | None = None) -> Iterator[Path]:
    """A hidden folder of our own, in `beside` (made if need be) or where the system keeps such; gone afterwards."""
    if beside is not None:
        beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".efemera-", dir=beside, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def sha256_of(path: Path) -> str:
    """The digest of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class LocalStore:
    """A folder of this machine, made when the first file is put."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._root = Path(uri)

    def read(self, key: str) -> bytes | None:
        """See `Store`."""
        with self._explained(key, "read"):
            try:
                return (self._root / key).read_bytes()
            except FileNotFoundError:
                return None

    def fetch(self, key: str, folder: Path) -> Path | None:  # noqa: ARG002 - nothing is copied
        """See `Store`."""
        path = self._root / key
        with self._explained(key, "read"):
            return path if path.is_file() else None

    def put(self, key: str, content: bytes | Path) -> None:
        """See `Store`."""
        with self._explained(key, "written"), self._staged(key, content) as staged:
            staged.replace(self._root / key)
            _flush(self._root / key)

    def put_new(self, key: str, content: bytes | Path) -> bool:
        """See `Store`."""
        with self._explained(key, "written"), self._staged(key, content) as staged:
            try:
                os.link(staged, self._root / key)  # unlike a rename, it fails where there is a file
            except FileExistsError:
                return False
            _flush(self._root / key)
            return True

    def files(self, prefix: str) -> list[str]:
        """See `Store`."""
        with self._explained(prefix, "listed"):
            return [name for name in self.children(prefix) if (self._root / prefix / name).is_file()]

    def children(self, prefix: str) -> list[str]:
        """See `Store`."""
        with self._explained(prefix, "listed"):
            try:
                return sorted(name for name in os.listdir(self._root / prefix) if not name.startswith("."))
            except FileNotFoundError:
                return []

    @contextlib.contextmanager
    def _staged(self, key: str, content: bytes | Path) -> Iterator[Path]:
        """The content on the disk beside its place, under a hidden name; gone afterwards."""
        target = self._root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", dir=target.parent)
        staged = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file, 1 << 20)
                file.flush()
                os.fchmod(file.fileno(), 0o644)  # mkstemp's own is for its owner alone
                os.fsync(file.fileno())
            yield staged
        finally:
            staged.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _explained(self, key: str, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreRefused(f"{self._root / key}: can't be {done} ({error.strerror or error})") from None


def _flush(path: Path) -> None:
    """Bring a new name to the disk too, so that no power cut leaves a later file without an earlier one."""
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
