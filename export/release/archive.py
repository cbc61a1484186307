"""A folder or a prefix of S3 that only ever gains files: a name that is taken keeps its content."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any, Protocol

from export.data.s3 import client, explained, is_s3, split_address, temporary_folder
from export.errors import InputError

ATTEMPTS = 6  # of a put that meets another one of the same name in flight
_TAKEN, _IN_FLIGHT = ("PreconditionFailed", "412"), ("ConditionalRequestConflict", "409")


class Archive(Protocol):
    """Files by name. Every method raises `InputError` naming the file and the reason where the place says no."""

    place: str  # without a slash at its end

    def names(self) -> list[str]:
        """The files there, sorted."""

    def read(self, name: str) -> bytes:
        """The content of one."""

    def put_new(self, name: str, content: bytes) -> bool:
        """Write the file, whole, unless there is one; whether it was written. Of two writers at once one wins."""


def open_archive(place: str, version: str = "") -> Archive:
    """The archive at a folder or at `s3://bucket/prefix`, or in `version` below it; nothing is read or written yet."""
    return S3Archive(place, version) if is_s3(place) else FolderArchive(place, version)


class FolderArchive:
    """A folder of this machine, made when the first file is put."""

    def __init__(self, place: str, version: str) -> None:
        self._folder = Path(place) / version
        self.place = str(self._folder)

    def names(self) -> list[str]:
        """See `Archive`."""
        with self._explained("", "listed"):
            try:
                return sorted(path.name for path in self._folder.iterdir() if path.is_file())
            except FileNotFoundError:
                return []

    def read(self, name: str) -> bytes:
        """See `Archive`."""
        with self._explained(name, "read"):
            return (self._folder / name).read_bytes()

    def put_new(self, name: str, content: bytes) -> bool:
        """See `Archive`."""
        with self._explained(name, "written"), temporary_folder(self._folder) as staging:
            with (staging / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(staging / name, self._folder / name)  # unlike a rename, it fails where there is a file
            except FileExistsError:
                return False
            self._flush()
        return True

    def _flush(self) -> None:
        """The new name on the disk too, so that no power cut leaves a later file without an earlier one."""
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _explained(self, name: str, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"{self._folder / name}: can't be {done} ({error.strerror or error})") from None


class S3Archive:
    """A prefix of a bucket. Every object is put with its SHA-256, by which S3 checks what arrived, and keeps it."""

    def __init__(self, place: str, version: str) -> None:
        self._bucket, key = split_address(place)
        self._prefix = "".join(f"{part}/" for part in (key.rstrip("/"), version) if part)
        self.place = f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def names(self) -> list[str]:
        """See `Archive`."""
        with explained(f"{self.place}: can't be listed"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"
            )
            keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return sorted(key[len(self._prefix) :] for key in keys if key != self._prefix)  # the console's own "folder"

    def read(self, name: str) -> bytes:
        """See `Archive`."""
        with explained(f"{self.place}/{name}: can't be read"):
            return bytes(self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"].read())

    def put_new(self, name: str, content: bytes) -> bool:
        """See `Archive`.

        The proof of the upload is S3's own: it refuses a body that has not the SHA-256 of the request, and its answer
        repeats the digest it stored. Of a server that repeats none, the object is read back and compared.
        """
        from botocore.exceptions import ClientError

        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        with explained(f"{self.place}/{name}: can't be written"):
            for attempt in range(ATTEMPTS):
                try:
                    answer = self._s3.put_object(
                        Bucket=self._bucket, Key=self._prefix + name, Body=content, IfNoneMatch="*",
                        ChecksumAlgorithm="SHA256", ChecksumSHA256=digest,
                    )  # fmt: skip
                    break
                except ClientError as error:
                    code = error.response["Error"].get("Code", "")
                    if code in _TAKEN:
                        return False
                    if code not in _IN_FLIGHT or attempt == ATTEMPTS - 1:
                        raise
                sleep(0.1 * 2**attempt)  # S3 asks for another try once the other put is done
        if answer.get("ChecksumSHA256") != digest and self.read(name) != content:
            raise InputError(f"{self.place}/{name}: is not what was sent")
        return True

    @functools.cached_property
    def _s3(self) -> Any:
        return client()
