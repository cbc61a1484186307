"""Processes that forecast shards on this machine. Imports nothing of the deployed code: its workers do that."""

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
    from lambda_fn.batch.run_records import Done, Place


class Workers:
    """Processes with a model each; they start, and load it, while the plan is made."""

    def __init__(self, model: Path, count: int) -> None:
        self._pool = ProcessPoolExecutor(count, mp_context=context(), initializer=_start, initargs=(str(model),))
        with _no_main():
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
        try:
            futures: list[Future[Done]] = [self._pool.submit(_forecast, place, number) for number in shards]
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
    """How workers start: as forks of a process that has only the imports, where the system can fork.

    The first call starts that process: called early, its imports and those of this process take the same time.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["lambda_fn.batch.forecast"])
    multiprocessing.forkserver.ensure_running()
    return found


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Processes that start meanwhile do not run this one's script again: a tenth of a second of each, for nothing."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start(model: str) -> None:
    """Ctrl-C is for the parent, and a worker ends its shard; but without a parent it ends at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    from lambda_fn.batch.run_records import serve_model

    serve_model(Path(model))


def _outlive_nobody() -> None:
    """End this worker when its parent has been killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _warm() -> None:
    """Load the model while there is nothing else to do; what is wrong with it is told with the first shard."""
    from lambda_fn.batch.run_records import forecaster
    from lambda_fn.model.manifest import ModelRefused

    with contextlib.suppress(ModelRefused):
        forecaster()


def _forecast(place: Place, number: int) -> Done:
    from lambda_fn.batch.forecast import forecast_shard

    return forecast_shard(place, number)
