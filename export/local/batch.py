"""A batch run on this machine: the three steps that Lambda runs, on all of its cores."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from export.local.workers import Workers
from lambda_fn.batch import finish, plan, run_records
from lambda_fn.batch.run_records import Done, Place, Settings, Success
from lambda_fn.tables.sql import path_literal


@dataclasses.dataclass(frozen=True)
class Finished:
    """A run that is there, whole."""

    place: Place
    success: Success
    found: bool  # it was there already
    seconds: dict[str, float]  # of all workers: reading, inference, writing, scoring

    @property
    def folder(self) -> str:
        """Where the run's files are."""
        return f"{self.place.out}/{self.place.folder}".rstrip("/")


def run_batch(
    settings: Settings, model: Path, processes: int, tell: Callable[[str], None], on_shards: Callable[[int, int], None]
) -> Finished:
    """Plan, forecast, finish. `tell` hears what is being done, `on_shards` how many shards of how many are done.

    The shards live in a temporary folder; what is done is kept, and another run of the same input goes on from there.
    """
    run_records.serve_model(model)
    with (
        tempfile.TemporaryDirectory(prefix="efemera-", ignore_cleanup_errors=True) as work,
        Workers(model, processes) as workers,
    ):
        answer = plan.plan(msgspec.structs.replace(settings, work=work), tell=tell)
        place = answer.place
        assert place is not None, answer  # nothing is scheduled here
        done: list[Done] = []
        if answer.state == "ready":
            shards = [shard.number for shard in run_records.read_plan(place, place.out_store()).shards]
            ended = 0
            on_shards(0, len(shards))

            def on_shard() -> None:
                nonlocal ended
                ended += 1
                on_shards(ended, len(shards))

            done = workers.forecast(place, shards, on_shard)
        workers.end()
        tell("proving that every series came out once")
        success = finish.finish(place)
    seconds = {name: sum(one.seconds[name] for one in done) for name in done[0].seconds} if done else {}
    return Finished(place, success, answer.state == "done", seconds)


def examples(place: Place, success: Success) -> dict[str, tuple[str, str]]:
    """Of each kind of refusal the first series, by part and name, and its reason."""
    found: dict[str, tuple[str, str]] = {}
    wanted, store = set(success.refused), place.out_store()
    with tempfile.TemporaryDirectory() as folder, run_records.one_thread() as database:
        for number in range(success.shard_count):
            if not wanted - found.keys():
                break
            if (path := store.fetch(place.table("status", number), Path(folder))) is None:
                continue
            rows = database.execute(
                "SELECT status, min(unique_id), arg_min(reason, unique_id) "
                f"FROM read_parquet({path_literal(path)}, hive_partitioning = false) "
                "WHERE reason IS NOT NULL GROUP BY status"
            ).fetchall()
            found = {status: (name, reason) for status, name, reason in rows} | found
    return found
