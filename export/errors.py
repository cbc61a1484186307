"""Errors that end a command, each with its exit code.

EfemeraError
├── InputError    2   a file, flag or value of the user's is wrong
└── GateRefused   3   a gate did its work: parity, self-check, audit
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lambda_fn.tables.errors import TableError


class EfemeraError(Exception):
    """One clear sentence for the user; `exit_code` is what the command ends with."""

    exit_code = 1


class InputError(EfemeraError):
    """The user's input is wrong; the message names the file, row, field and value."""

    exit_code = 2


class GateRefused(EfemeraError):
    """A proof or a check failed; of what it would have let through, nothing was written."""

    exit_code = 3


@contextlib.contextmanager
def input_errors() -> Iterator[None]:
    """Raise what the price reader and the store refuse as `InputError`; also a decorator."""
    try:
        yield
    except TableError as error:
        raise InputError(str(error)) from None
