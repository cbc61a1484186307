"""S3 by boto3, to and from local files: everything else in Efemera sees local paths only."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from export.errors import InputError

_SCHEME = "s3://"
_REASONS = {
    "AccessDenied": "no permission",
    "403": "no permission",
    "AllAccessDisabled": "no permission",
    "InvalidAccessKeyId": "AWS does not know the access key",
    "SignatureDoesNotMatch": "the secret key does not fit the access key",
    "ExpiredToken": "the AWS credentials have expired",
    "NoSuchBucket": "no such bucket",
    "NoSuchKey": "no such object",
    "404": "no such object",
}


class NoSuchObject(InputError):
    """There is nothing at this address of S3."""


@dataclasses.dataclass(frozen=True)
class LocalFiles:
    """Local paths of everything that was named, copies of S3 objects among them."""

    paths: list[Path]
    addresses: dict[str, str]  # path of a copy → its address on S3

    def as_named(self, text: str) -> str:
        """`text` with the copies called by the names the user gave them."""
        for path, address in self.addresses.items():
            text = text.replace(path, address)
        return text


def is_s3(place: str) -> bool:
    """Whether this names S3 rather than a file."""
    return place.lower().startswith(_SCHEME)


@contextlib.contextmanager
def local_files(
    places: Sequence[str], endings: Sequence[str], on_object: Callable[[str], None] = lambda _: None
) -> Iterator[LocalFiles]:
    """The files named, S3 objects as copies that last as long as the `with` block.

    `s3://bucket/key.csv` is an object; a key without one of the `endings` is a prefix, of which every
    object directly in it with such an ending is taken. `on_object` hears each address before its download.
    An `InputError` raised within speaks of s3://, not of the copy.
    """
    with temporary_folder() as copies:
        found = LocalFiles([], {})
        for place in places:
            if not is_s3(place):
                found.paths.append(Path(place))
                continue
            bucket, key = split_address(place)
            for name in _objects(bucket, key, place, endings):
                address = f"{_SCHEME}{bucket}/{name}"
                on_object(address)
                # a folder for each, with a name as short as a file's may be: two keys can end alike
                copy = copies / str(len(found.paths)) / PurePosixPath(name).name[-100:]
                _download(bucket, name, address, copy)
                found.paths.append(copy)
                found.addresses[str(copy)] = address
        try:
            yield found
        except InputError as error:
            raise InputError(found.as_named(str(error))) from None


def upload(path: Path, place: str) -> None:
    """Put a file at `s3://bucket/key`, whole or not at all; raises `InputError` saying why not."""
    bucket, key = split_address(place)
    with explained(f"--out {place}: can't be written"), path.open("rb") as file:
        client().upload_fileobj(file, bucket, key)


@contextlib.contextmanager
def temporary_folder(beside: Path | None = None) -> Iterator[Path]:
    """A hidden folder of our own, in `beside` (made if need be) or where the system keeps such; gone afterwards."""
    if beside is not None:
        beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".efemera-", dir=beside, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def split_address(place: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`; raises `InputError` where the bucket can be none."""
    bucket, _, key = place[len(_SCHEME) :].partition("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise InputError(f"{place}: {bucket!r} is not the name of a bucket; the form is s3://bucket/key")
    return bucket, key


def _objects(bucket: str, key: str, place: str, endings: Sequence[str]) -> list[str]:
    """The keys that `key` stands for."""
    if key.lower().endswith(tuple(endings)):
        return [key]
    prefix = f"{key.rstrip('/')}/" if key else ""
    with explained(f"{place}: can't be listed"):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
    wanted = sorted(name for name in keys if name.lower().endswith(tuple(endings)))
    if not wanted:
        *others, last = endings
        raise InputError(f"{place}: no object directly under this prefix ends in {', '.join(others)} or {last}")
    return wanted


def _download(bucket: str, key: str, address: str, copy: Path) -> None:
    copy.parent.mkdir()
    with explained(f"{address}: can't be read"):
        client().download_file(bucket, key, str(copy))


def client() -> Any:
    """A client of S3, with the credentials that boto3 finds."""
    import boto3  # 0.3 s, only where S3 is named

    return boto3.client("s3")


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Say in one line why AWS refused."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        reason = _REASONS.get(code) or " ".join(f"{code} {message}".split())
        refusal = NoSuchObject if reason == _REASONS["NoSuchKey"] else InputError
        raise refusal(f"{what} ({reason})") from None
    except (BotoCoreError, Boto3Error) as error:  # no credentials, no endpoint, a profile that is not there
        raise InputError(f"{what} ({' '.join(str(error).split())})") from None
