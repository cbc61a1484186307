"""Run a batch on this machine: the three steps that Lambda runs, on all of its cores."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from export.local.workers import Workers
from lambda_fn.batch import finish, plan
from lambda_fn.batch.database import one_thread
from lambda_fn.batch.records import Place, Settings, ShardDone, Success, read_plan
from lambda_fn.batch.served_model import serve_model
from lambda_fn.tables.sql import path_literal


@dataclasses.dataclass(frozen=True)
class BatchResult:
    """Result of a batch run that is there, whole."""

    place: Place
    success: Success
    was_there: bool  # already, before this command
    seconds: dict[str, float]  # of all workers: reading, inference, writing, scoring

    @property
    def folder(self) -> str:
        """Return where the run's files are: a folder, or s3://bucket/prefix."""
        return f"{self.place.out}/{self.place.folder}".rstrip("/")


def run_batch(
    settings: Settings,
    model: Path,
    processes: int,
    on_step: Callable[[str], None],
    on_shards: Callable[[int, int], None],
) -> BatchResult:
    """Plan, forecast, finish. `on_step` hears what is being done, `on_shards` how many shards of how many are done.

    The shards live in a temporary folder; what is done is kept, and another run of the same input goes on from there.
    """
    serve_model(model)
    with (
        tempfile.TemporaryDirectory(prefix="efemera-", ignore_cleanup_errors=True) as work,
        Workers(model, processes) as workers,
    ):
        planned = plan.plan(msgspec.structs.replace(settings, work=work), on_step=on_step)
        place = planned.place
        assert place is not None, planned  # nothing is scheduled here
        marks: list[ShardDone] = []
        if planned.state == "ready":
            shards = [shard.number for shard in read_plan(place, place.out_store()).shards]
            ended = 0
            on_shards(0, len(shards))

            def on_shard() -> None:
                nonlocal ended
                ended += 1
                on_shards(ended, len(shards))

            marks = workers.forecast(place, shards, on_shard)
        workers.end()
        on_step("proving that every series came out once")
        success = finish.finish(place)
    seconds = {name: sum(mark.seconds[name] for mark in marks) for name in marks[0].seconds} if marks else {}
    return BatchResult(place, success, planned.state == "done", seconds)


def refusal_examples(place: Place, success: Success) -> dict[str, tuple[str, str]]:
    """Return for each status of refusal the first series, by part and name, and its reason."""
    examples: dict[str, tuple[str, str]] = {}
    statuses, store = set(success.refused), place.out_store()
    with tempfile.TemporaryDirectory() as folder, one_thread() as database:
        for number in range(success.shard_count):
            if not statuses - examples.keys():
                break
            if (path := store.fetch(place.part_key("status", number), Path(folder))) is None:
                continue
            rows = database.execute(
                "SELECT status, min(unique_id), arg_min(reason, unique_id) "
                f"FROM read_parquet({path_literal(path)}, hive_partitioning = false) "
                "WHERE reason IS NOT NULL GROUP BY status"
            ).fetchall()
            examples = {status: (name, reason) for status, name, reason in rows} | examples
    return examples
