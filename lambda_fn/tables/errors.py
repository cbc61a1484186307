"""Errors of reading price tables and of the store.

TableError
├── InputRefused        a price file can't be read
├── StoreRefused        a file can't be read or written, and trying again won't help
└── StoreUnavailable    S3 does not answer, or asks for patience

Step Functions sees their class names.
"""


class TableError(Exception):
    """One line for the user."""


class InputRefused(TableError):
    """A price file can't be read; the message names file, line, column and value."""

    def __init__(self, message: str, *, is_missing: bool = False) -> None:
        super().__init__(message)
        self.is_missing = is_missing  # there is no such file, folder or object


class StoreRefused(TableError):
    """A file can't be read or written, and trying again won't help; the message names it and says why."""


class StoreUnavailable(TableError):
    """S3 does not answer, or asks for patience; trying again later may help."""
