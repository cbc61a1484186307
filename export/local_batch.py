"""A batch run on this machine: the three steps that Lambda runs, on all of its cores."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import multiprocessing.connection
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import msgspec

from export.errors import InputError
from lambda_fn import batch, batch_run, finish, plan
from lambda_fn.batch_run import Done, Place, Settings, Success
from lambda_fn.forecaster import ModelRefused


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


class Workers:
    """Processes that forecast shards, each with a model of its own; they start while the plan is made."""

    def __init__(self, model: Path, count: int) -> None:
        self._pool = ProcessPoolExecutor(count, mp_context=_context(), initializer=_start, initargs=(str(model),))
        for _ in range(count):
            self._pool.submit(_warm)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def end(self) -> None:
        """Let them go; they have nothing more to do."""
        self._pool.shutdown(wait=False)

    def forecast(self, place: Place, shards: list[int], on_shard: Callable[[], None]) -> list[Done]:
        """Forecast these shards; what a worker raises is raised here, once the others have ended theirs."""
        futures: list[Future[Done]] = [self._pool.submit(batch.forecast_shard, place, number) for number in shards]
        try:
            for future in as_completed(futures):
                future.result()
                on_shard()
        except BrokenProcessPool:
            raise InputError(
                "a worker was ended by the system, perhaps for want of memory; run again with fewer --processes,"
                " and the shards that are done stay done"
            ) from None
        return [future.result() for future in futures]


def run_batch(
    settings: Settings, model: Path, processes: int, tell: Callable[[str], None], on_shards: Callable[[int, int], None]
) -> Finished:
    """Plan, forecast, finish. `tell` hears what is being done, `on_shards` how many shards of how many are done.

    The shards live in a temporary folder; what is done is kept, and another run of the same input goes on from there.
    """
    os.environ["EFEMERA_MODELS"] = str(model)
    _same_model()
    with (
        tempfile.TemporaryDirectory(prefix="efemera-", ignore_cleanup_errors=True) as work,
        Workers(model, processes) as workers,
    ):
        answer = plan.plan(msgspec.structs.replace(settings, work=work), tell=tell)
        place = answer.place
        assert place is not None, answer  # nothing is scheduled here
        done: list[Done] = []
        if answer.state == "ready":
            shards = [shard.number for shard in batch_run.read_plan(place, place.out_store()).shards]
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
    with tempfile.TemporaryDirectory() as folder, batch_run.one_thread() as database:
        for number in range(success.shard_count):
            if not wanted - found.keys():
                break
            if (path := store.fetch(place.table("status", number), Path(folder))) is None:
                continue
            rows = database.execute(
                "SELECT status, min(unique_id), arg_min(reason, unique_id) FROM read_parquet($path) "
                "WHERE reason IS NOT NULL GROUP BY status",
                {"path": str(path)},
            ).fetchall()
            found = {status: (name, reason) for status, name, reason in rows} | found
    return found


def _context() -> multiprocessing.context.BaseContext:
    """Workers come of a process that has only the imports, where the system can fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lambda_fn.batch"])
    return context


def _start(model: str) -> None:
    """Ctrl-C is for the parent, and a worker ends its shard; but without a parent it ends at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    os.environ["EFEMERA_MODELS"] = model
    _same_model()


def _outlive_nobody() -> None:
    """End this worker when its parent has been killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _warm() -> None:
    """Load the model while there is nothing else to do; what is wrong with it is told with the first shard."""
    with contextlib.suppress(ModelRefused):
        batch_run.forecaster()


def _same_model() -> None:
    """Forget a model of another folder that this process may have read before."""
    for remembered in (batch_run.manifest, batch_run.forecaster, batch_run.sessions):
        remembered.cache_clear()
