"""Copies objects of S3 to local files for as long as they are read, and names them by their addresses."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from export.errors import InputError
from lambda_fn.tables.errors import TableError
from lambda_fn.tables.price_files import find_files
from lambda_fn.tables.s3 import is_s3
from lambda_fn.tables.store import scratch


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


@contextlib.contextmanager
def local_files(
    places: Sequence[str], endings: Sequence[str], on_object: Callable[[str], None] = lambda _: None
) -> Iterator[LocalFiles]:
    """The files named, S3 objects as copies that last as long as the `with` block.

    `s3://bucket/key.csv` is an object; a key without one of the `endings` is a prefix, of which every
    object directly in it with such an ending is taken. `on_object` hears each address before its download.
    An `InputError` raised within speaks of s3://, not of the copy.
    """
    local = LocalFiles([], {})
    with scratch() as copies:
        try:
            for place in places:
                if not is_s3(place):
                    local.paths.append(Path(place))
                    continue
                for file in find_files(place, endings):
                    on_object(file.name)
                    path = file.fetch(copies / str(len(local.paths)))  # a folder for each: two keys can end alike
                    local.paths.append(path)
                    local.addresses[str(path)] = file.name
            yield local
        except (InputError, TableError) as error:
            raise InputError(local.as_named(str(error))) from None
