"""S3 by boto3: the store at a prefix of a bucket, and AWS's refusals as one line each."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from time import sleep
from typing import Any

from lambda_fn.tables.errors import StoreRefused, StoreUnavailable

SCHEME = "s3://"
ATTEMPTS = 6  # of one call to S3, with boto3's own back-off and jitter between them; then Step Functions tries again
LARGEST_PUT = 64 << 20  # bytes; a larger file goes in parts, as S3 takes at most 5 GiB at once
LONGEST_NAME = 200  # bytes of a copy's file name: a key may be longer than any file system allows

# What S3 says when it is not the request's fault: the same call may work in a while.
_PASSING = {"SlowDown", "ThrottlingException", "RequestTimeout", "InternalError", "ServiceUnavailable", "503", "500"}
_REASONS = {
    "AccessDenied": "no permission",
    "AllAccessDisabled": "no permission",
    "403": "no permission",
    "InvalidAccessKeyId": "AWS does not know the access key",
    "SignatureDoesNotMatch": "the secret key does not fit the access key",
    "ExpiredToken": "the AWS credentials have expired",
    "NoSuchBucket": "no such bucket",
}
_ABSENT = {"NoSuchKey", "404"}
_TAKEN, _IN_FLIGHT = {"PreconditionFailed", "412"}, {"ConditionalRequestConflict", "409"}


def is_s3(place: str) -> bool:
    """True if this names S3 rather than a file."""
    return place.lower().startswith(SCHEME)


def split_address(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`; raises `StoreRefused` where the bucket can be none."""
    bucket, _, key = uri[len(SCHEME) :].partition("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise StoreRefused(f"{uri}: {bucket!r} is not the name of a bucket; the form is s3://bucket/key")
    return bucket, key


class S3Store:
    """A prefix of a bucket. Objects are put with their SHA-256, by which S3 checks what arrived."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._bucket, prefix = split_address(uri)
        self._prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"

    def read(self, key: str) -> bytes | None:
        """See `Store`."""
        with self._explained(key, "read"):
            try:
                answer = client().get_object(Bucket=self._bucket, Key=self._prefix + key)
                return bytes(answer["Body"].read())
            except _client_error() as error:
                if _code(error) in _ABSENT:
                    return None
                raise

    def fetch(self, key: str, folder: Path) -> Path | None:
        """See `Store`."""
        path = folder / key
        path = path.with_name(path.name.encode()[-LONGEST_NAME:].decode(errors="ignore"))
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
        with self._explained(key, "written"):
            if isinstance(content, Path) and content.stat().st_size > LARGEST_PUT:
                with content.open("rb") as file:
                    client().upload_fileobj(file, self._bucket, self._prefix + key)
            else:
                self._put(key, content)

    def put_new(self, key: str, content: bytes | Path) -> bool:
        """See `Store`."""
        with self._explained(key, "written"):
            attempt = 0
            while True:
                try:
                    self._put(key, content, IfNoneMatch="*")
                    return True
                except _client_error() as error:
                    if _code(error) in _TAKEN:
                        return False
                    if _code(error) not in _IN_FLIGHT or attempt == ATTEMPTS - 1:
                        raise
                sleep(0.1 * 2**attempt)  # S3 asks for another try once the other put is done
                attempt += 1

    def files(self, prefix: str) -> list[str]:
        """See `Store`."""
        return self._listed(prefix)[0]

    def children(self, prefix: str) -> list[str]:
        """See `Store`."""
        return sorted(name for names in self._listed(prefix) for name in names)

    def _listed(self, prefix: str) -> tuple[list[str], list[str]]:
        """The names of objects and of "folders" directly below, each sorted."""
        whole = self._prefix + prefix
        objects: list[str] = []
        folders: list[str] = []
        with self._explained(prefix, "listed"):
            pages = client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=whole, Delimiter="/")
            for page in pages:
                objects += [entry["Key"][len(whole) :] for entry in page.get("Contents", ())]
                folders += [entry["Prefix"].rstrip("/")[len(whole) :] for entry in page.get("CommonPrefixes", ())]
        return sorted(filter(None, objects)), sorted(filter(None, folders))  # empty: the console's own "folder"

    def _put(self, key: str, content: bytes | Path, **condition: str) -> None:
        """Put an object with its digest, by which S3 refuses another body; read it back where S3 repeats none."""
        sha = hashlib.sha256(content) if isinstance(content, bytes) else _digest_of(content)
        checksum = base64.b64encode(sha.digest()).decode()
        with contextlib.ExitStack() as stack:
            body = content if isinstance(content, bytes) else stack.enter_context(content.open("rb"))
            answer = client().put_object(
                Bucket=self._bucket, Key=self._prefix + key, Body=body,
                ChecksumAlgorithm="SHA256", ChecksumSHA256=checksum, **condition,
            )  # fmt: skip
        if answer.get("ChecksumSHA256") != checksum:
            there = self.read(key)
            if there is None or hashlib.sha256(there).digest() != sha.digest():
                raise StoreRefused(f"{self.uri}/{key}: is not what was sent")

    def _explained(self, key: str, done: str) -> contextlib.AbstractContextManager[None]:
        return explained(f"{self.uri}/{key}".removesuffix("/") + f": can't be {done}")


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


def _digest_of(path: Path) -> Any:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def _client_error() -> type[Any]:
    from botocore.exceptions import ClientError

    kind: type[Any] = ClientError
    return kind


def _code(error: Any) -> str:
    return str(error.response["Error"].get("Code", ""))
