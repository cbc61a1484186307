"""Processes that forecast the shards of a batch on this machine, each with the model loaded.

Imports nothing of `lambda_fn` here: the workers do, while the command imports what it needs itself.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import InputError

if TYPE_CHECKING:
    from lambda_fn.batch.records import Place, ShardDone


class Workers:
    """Pool of processes with a model each; they start, and load it, while the plan is made."""

    def __init__(self, model: Path, count: int) -> None:
        self._pool = ProcessPoolExecutor(count, mp_context=context(), initializer=_initialize, initargs=(str(model),))
        with _main_left_out():
            for _ in range(count):
                self._pool.submit(_load_model)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def end(self) -> None:
        """Let the processes go without waiting for them: they have nothing more to do."""
        self._pool.shutdown(wait=False)

    def forecast(self, place: Place, shards: list[int], on_shard: Callable[[], None]) -> list[ShardDone]:
        """Forecast these shards; what a worker raises is raised here, once the others have ended theirs."""
        try:
            futures: list[Future[ShardDone]] = [self._pool.submit(_forecast, place, number) for number in shards]
            for future in as_completed(futures):
                future.result()
                on_shard()
        except BrokenProcessPool:
            raise InputError(
                "a worker was ended by the system, perhaps for want of memory; run again with fewer --processes,"
                " and the shards that are done stay done"
            ) from None
        return [future.result() for future in futures]


def context() -> BaseContext:
    """Return how workers start: as forks of a process that has only the imports, where the system can fork.

    The first call starts that process: called early, its imports run at the same time as those of this process.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(["lambda_fn.batch.forecast"])
    multiprocessing.forkserver.ensure_running()
    return forkserver


@contextlib.contextmanager
def _main_left_out() -> Iterator[None]:
    """Keep processes that start meanwhile from running this one's script again: a tenth of a second of each."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _initialize(model: str) -> None:
    """Set up a worker: it leaves Ctrl-C to its parent, to end its shard, and ends at once without a parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from lambda_fn.batch.served_model import serve_model

    serve_model(Path(model))


def _end_with_parent() -> None:
    """End this worker when its parent is gone, killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _load_model() -> None:
    """Load the model while there is nothing else to do; the first shard raises what is wrong with it."""
    from lambda_fn.batch.served_model import forecaster
    from lambda_fn.model.manifest import ModelRefused

    with contextlib.suppress(ModelRefused):
        forecaster()


def _forecast(place: Place, number: int) -> ShardDone:
    from lambda_fn.batch.forecast import forecast_shard

    return forecast_shard(place, number)
