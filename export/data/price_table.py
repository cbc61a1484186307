"""Closing prices of many series as flat, sorted arrays."""

from __future__ import annotations

import bisect
import dataclasses
import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from export.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)  # compare digests: arrays have no single truth
class Prices:
    """Closing prices of many series, sorted by unique_id (by code point), then ds; no day twice."""

    ids: tuple[str, ...]  # (series,)
    starts: NDArray[np.int64]  # (series + 1,) the row where each series starts; the last is the number of rows
    ds: NDArray[np.datetime64]  # (rows,) datetime64[D]
    y: NDArray[np.float64]  # (rows,) closes
    sources: tuple[str, ...] = ()  # the files, as the user named them
    notes: tuple[str, ...] = ()  # what was chosen, dropped, merged or skipped, and "warning: …" lines

    def __len__(self) -> int:
        """Count the rows of all series."""
        return len(self.y)

    def series(self, unique_id: str) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
        """The days and closes of one series, oldest first, as views (rows of the series,).

        Raises `InputError` naming the id and the nearest known ones.
        """
        position = self._position(unique_id)
        rows = slice(int(self.starts[position]), int(self.starts[position + 1]))
        return self.ds[rows], self.y[rows]

    def only(self, ids: Iterable[str]) -> Prices:
        """The same prices with these series alone; an unknown id is an `InputError`."""
        positions = sorted({self._position(unique_id) for unique_id in ids})
        kept = np.zeros(len(self.ids), dtype=bool)
        kept[positions] = True
        lengths = np.diff(self.starts)
        rows = kept[self.owners()]  # (rows,)
        return dataclasses.replace(
            self,
            ids=tuple(self.ids[position] for position in positions),
            starts=starts_of(lengths[kept]),
            ds=self.ds[rows],
            y=self.y[rows],
        )

    def digest(self) -> str:
        """SHA-256 in hex over ids, ds and y: the same for the same prices in any format and row order."""
        sha = hashlib.sha256()
        for part in (self.ids, self.starts.tolist()):
            sha.update(repr(part).encode())
        sha.update(self.ds.astype("datetime64[D]").astype("<i8").tobytes())
        sha.update(self.y.astype("<f8").tobytes())
        return sha.hexdigest()

    def owners(self) -> NDArray[np.int64]:
        """The position in `ids` of the series of each row: (rows,)."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.starts))

    def _position(self, unique_id: str) -> int:
        position = bisect.bisect_left(self.ids, unique_id)
        if position < len(self.ids) and self.ids[position] == unique_id:
            return position
        near = difflib.get_close_matches(unique_id, self.ids, n=3) or list(self.ids[:3])
        raise InputError(f"there is no series {unique_id!r}; known are {', '.join(near)} ({len(self.ids)} in all)")


def make_prices(table: Mapping[str, tuple[ArrayLike, ArrayLike]], sources: Sequence[str] = ()) -> Prices:
    """`Prices` from arrays: unique_id → (ds, y), in any order.

    For prices a program made, which are right by construction: days may not repeat, and closes are finite
    and positive, or this is an AssertionError. What a user brings goes through `read_prices`.
    """
    ids = sorted(table)
    days, closes = [np.empty(0, "datetime64[D]")], [np.empty(0)]
    for unique_id in ids:
        ds, y = np.asarray(table[unique_id][0], "datetime64[D]"), np.asarray(table[unique_id][1], np.float64)
        order = np.argsort(ds)
        assert ds.shape == y.shape == (len(ds),), unique_id
        assert np.all(np.diff(ds[order]) > np.timedelta64(0)), unique_id
        assert np.all(np.isfinite(y) & (y > 0)), unique_id
        days.append(ds[order])
        closes.append(y[order])
    lengths = np.array([len(y) for y in closes[1:]], dtype=np.int64)
    return Prices(tuple(ids), starts_of(lengths), np.concatenate(days), np.concatenate(closes), tuple(sources))


def starts_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first row of each series of these lengths, and the end of the last: (series + 1,)."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
