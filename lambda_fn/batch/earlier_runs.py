"""Which earlier runs an evening scores: those whose steps may have met their closes since the last scoring."""

from __future__ import annotations

import contextlib
import datetime
import math

from lambda_fn.batch.run_records import Earlier, FileDamaged, Success, decode
from lambda_fn.batch.score_table import FOLDER
from lambda_fn.tables.store import Store

LOOK_BACK = 7  # days beside those of the steps themselves: holidays, and series that did not trade


def find_earlier(store: Store, as_of: str, horizon: int) -> tuple[str, list[Earlier]]:
    """Until which day steps have been scored, and the last finished run of each day that may have later ones."""
    scored = [name.removesuffix(".parquet") for name in store.children(FOLDER)]
    until = max((day for day in scored if day < as_of), default="")
    reach = datetime.timedelta(LOOK_BACK + 7 * math.ceil(horizon / 5))  # a week for each five sessions
    first = str(datetime.date.fromisoformat(until or as_of) - reach)
    return until or first, _finished(store, first, as_of)


def _finished(store: Store, first: str, as_of: str) -> list[Earlier]:
    """The last finished run of each day from `first` until before `as_of`."""
    found = []
    for day in store.children("runs/"):
        if not first <= day < as_of:
            continue
        finished: list[tuple[str, str, Success]] = []
        for run in store.children(f"runs/{day}/"):
            content = store.read(f"runs/{day}/{run}/_SUCCESS.json")
            if content is not None:
                with contextlib.suppress(FileDamaged):  # as good as not there; it is no fault of this run
                    success = decode(content, Success, run)
                    finished.append((success.finished_at, run, success))
        if finished:
            _, run, success = max(finished, key=lambda one: one[:2])
            found.append(
                Earlier(
                    day, run, success.shard_count, success.hash, success.levels,
                    success.model_version, success.model_digest,
                )
            )  # fmt: skip
    return found
