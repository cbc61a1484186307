"""Pools of processes that end with what they were made for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import TypeVar

Pool = TypeVar("Pool", bound=Executor)


@contextlib.contextmanager
def ending(pool: Pool) -> Iterator[Pool]:
    """The pool; interrupted or failed, what has not begun never does, where a pool's own `with` would do it all."""
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
