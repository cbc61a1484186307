"""Findings of an audit: one for each unbroken run of days with the same fault in one series."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.data.destination import write_table

# The most serious first: what training refuses or learns wrongly from, then what is absent, then what is stale.
KINDS = ("duplicate", "split-like", "missing-session", "closed-day", "stale", "zero-volume", "ended-early")


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at in one series."""

    unique_id: str
    kind: str  # one of KINDS
    first: datetime.date
    last: datetime.date
    count: int  # days concerned, from `first` to `last`
    detail: str


@dataclasses.dataclass(frozen=True, eq=False)
class Runs:
    """Unbroken runs of marked rows."""

    first: NDArray[np.int64]  # (runs,) the first row of each
    last: NDArray[np.int64]  # (runs,) the last row of each

    def totals(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """The sum of `values` (rows,) over the rows of each run: (runs,)."""
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(values, dtype=np.int64)])
        return np.asarray(before[self.last + 1] - before[self.first])


def runs_of(marked: NDArray[np.bool_], joined: NDArray[np.bool_]) -> Runs:
    """The runs of `marked` rows (rows,); `joined` (rows,) says whether a row goes on from the row before it."""
    follows = np.zeros(len(marked), dtype=bool)
    follows[1:] = marked[1:] & marked[:-1] & joined[1:]
    ends = marked.copy()
    ends[:-1] &= ~follows[1:]
    return Runs(np.flatnonzero(marked & ~follows), np.flatnonzero(ends))


def make_findings(
    kind: str,
    ids: Sequence[str],
    owners: NDArray[np.integer[Any]],
    first: NDArray[np.datetime64],
    last: NDArray[np.datetime64],
    counts: NDArray[np.integer[Any]],
    details: Iterable[str],
) -> Iterator[Finding]:
    """Findings from columns (findings,); `owners` are positions in `ids`, days are datetime64[D]."""
    columns = (owners.tolist(), first.tolist(), last.tolist(), counts.tolist(), details)
    for owner, first_day, last_day, count, detail in zip(*columns, strict=True):
        yield Finding(ids[owner], kind, first_day, last_day, count, detail)


def write_findings(findings: Sequence[Finding], out: str) -> None:
    """The table `unique_id, kind, first, last, count, detail`; raises `InputError` when it can't be written."""
    ids, owners = _labelled([finding.unique_id for finding in findings])
    kinds, kind = _labelled([finding.kind for finding in findings])
    details, detail = _labelled([finding.detail for finding in findings])
    columns = {
        "unique_id": owners,
        "kind": kind,
        "first": np.array([finding.first for finding in findings], dtype="datetime64[D]"),
        "last": np.array([finding.last for finding in findings], dtype="datetime64[D]"),
        "count": np.array([finding.count for finding in findings], dtype=np.int64),
        "detail": detail,
    }
    write_table(columns, out, labels={"unique_id": ids, "kind": kinds, "detail": details})


def _labelled(texts: list[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Texts as positions in their distinct ones; one label at least, so that an empty column is text as well."""
    labels = list(dict.fromkeys(texts)) or [""]
    positions = {label: position for position, label in enumerate(labels)}
    return labels, np.array([positions[text] for text in texts], dtype=np.int64)
