"""Files of a batch run, in a local folder or under a prefix of S3: each is there whole or not at all.

S3 is read and written by boto3, to and from local files: DuckDB sees local paths only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

SCHEME = "s3://"
ATTEMPTS = 6  # of one call to S3, with boto3's own back-off and jitter between them; then Step Functions tries again

# What S3 says when it is not the request's fault: the same call may work in a while.
_PASSING = {"SlowDown", "ThrottlingException", "RequestTimeout", "InternalError", "ServiceUnavailable", "503", "500"}
_REASONS = {
    "AccessDenied": "no permission",
    "403": "no permission",
    "InvalidAccessKeyId": "AWS does not know the access key",
    "SignatureDoesNotMatch": "the secret key does not fit the access key",
    "ExpiredToken": "the AWS credentials have expired",
    "NoSuchBucket": "no such bucket",
}
_ABSENT = {"NoSuchKey", "404"}
_TAKEN = {"PreconditionFailed", "412"}


class StoreRefused(Exception):
    """A file can't be read or written, and trying again won't help; the message names it and says why."""


class StoreUnavailable(Exception):
    """S3 does not answer, or asks for patience; trying again later may help."""


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
        """Write the file unless there is one; whether it was written. Of two writers at once one wins."""

    def children(self, prefix: str) -> list[str]:
        """The names of files and folders directly below `prefix` (empty, or ending in /), sorted."""


def open_store(uri: str) -> Store:
    """The store at a folder or at `s3://bucket/prefix`; nothing is read or written yet."""
    return S3Store(uri) if is_s3(uri) else LocalStore(uri)


def is_s3(place: str) -> bool:
    """Whether this names S3 rather than a file."""
    return place.lower().startswith(SCHEME)


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`; raises `StoreRefused` where the bucket can be none."""
    bucket, _, key = uri[len(SCHEME) :].partition("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise StoreRefused(f"{uri}: {bucket!r} is not the name of a bucket; the form is s3://bucket/prefix")
    return bucket, key


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder of our own where the system keeps such; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="efemera-", ignore_cleanup_errors=True) as folder:
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
        return path if path.is_file() else None

    def put(self, key: str, content: bytes | Path) -> None:
        """See `Store`."""
        with self._explained(key, "written"), self._staged(key, content) as staged:
            staged.replace(self._root / key)

    def put_new(self, key: str, content: bytes | Path) -> bool:
        """See `Store`."""
        with self._explained(key, "written"), self._staged(key, content) as staged:
            try:
                os.link(staged, self._root / key)  # unlike a rename, it fails where there is a file
            except FileExistsError:
                return False
            return True

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


class S3Store:
    """A prefix of a bucket."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._bucket, prefix = split(uri)
        self._prefix = f"{prefix.rstrip('/')}/" if prefix else ""

    def read(self, key: str) -> bytes | None:
        """See `Store`."""
        with self._explained(key, "read"):
            answer = self._or_none(client().get_object, Bucket=self._bucket, Key=self._prefix + key)
            return None if answer is None else bytes(answer["Body"].read())

    def fetch(self, key: str, folder: Path) -> Path | None:
        """See `Store`."""
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained(key, "read"):
            try:
                client().download_file(self._bucket, self._prefix + key, str(path))
            except _client_error() as error:
                if _code(error) in _ABSENT:
                    return None
                raise
        return path

    def put(self, key: str, content: bytes | Path) -> None:
        """See `Store`."""
        self._put(key, content)

    def put_new(self, key: str, content: bytes | Path) -> bool:
        """See `Store`."""
        try:
            self._put(key, content, IfNoneMatch="*")
        except FileExistsError:
            return False
        return True

    def children(self, prefix: str) -> list[str]:
        """See `Store`."""
        whole = self._prefix + prefix
        with self._explained(prefix, "listed"):
            pages = client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=whole, Delimiter="/")
            found: list[str] = []
            for page in pages:
                found += [entry["Key"] for entry in page.get("Contents", ())]
                found += [entry["Prefix"].rstrip("/") for entry in page.get("CommonPrefixes", ())]
        return sorted(name for name in (key[len(whole) :] for key in found) if name)

    def _put(self, key: str, content: bytes | Path, **condition: str) -> None:
        with self._explained(key, "written"), contextlib.ExitStack() as stack:
            body = content if isinstance(content, bytes) else stack.enter_context(content.open("rb"))
            try:
                client().put_object(Bucket=self._bucket, Key=self._prefix + key, Body=body, **condition)
            except _client_error() as error:
                if _code(error) in _TAKEN:
                    raise FileExistsError from None
                raise

    @staticmethod
    def _or_none(call: Any, **arguments: str) -> Any:
        """What S3 answers, or None for an object that is not there."""
        try:
            return call(**arguments)
        except _client_error() as error:
            if _code(error) in _ABSENT:
                return None
            raise

    @contextlib.contextmanager
    def _explained(self, key: str, done: str) -> Iterator[None]:
        """Say in one line why S3 refused, and whether to try again."""
        with explained(f"{self.uri}/{key}: can't be {done}"):
            yield


@cache
def client() -> Any:
    """The S3 client of this process."""
    import boto3  # 0.3 s, only where S3 is named
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    return boto3.client("s3", config=Config(retries=retries, connect_timeout=5, read_timeout=60))


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what boto3 raises into one line: `StoreUnavailable` where time may help, else `StoreRefused`."""
    from boto3.exceptions import Boto3Error, RetriesExceededError
    from botocore import exceptions
    from botocore.exceptions import BotoCoreError, ClientError

    no_way = (
        exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError,
        exceptions.FlexibleChecksumError, RetriesExceededError,
    )  # fmt: skip

    try:
        yield
    except ClientError as error:
        code, message = _code(error), error.response["Error"].get("Message", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        reason = _REASONS.get(code) or " ".join(f"{code} {message}".split())
        passing = code in _PASSING or status in (409, 429) or status >= 500
        raise (StoreUnavailable if passing else StoreRefused)(f"{what} ({reason})") from None
    except no_way as error:  # there, or not whole back
        raise StoreUnavailable(f"{what} ({' '.join(str(error).split())})") from None
    except (BotoCoreError, Boto3Error) as error:  # no credentials, a profile that is not there
        raise StoreRefused(f"{what} ({' '.join(str(error).split())})") from None


def _client_error() -> type[Any]:
    from botocore.exceptions import ClientError

    found: type[Any] = ClientError
    return found


def _code(error: Any) -> str:
    return str(error.response["Error"].get("Code", ""))
