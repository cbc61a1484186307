"""Errors of a batch run. Step Functions sees their class names, and retries none of them.

BatchRefused
├── ModelReplaced   forecast
├── ShardDamaged    forecast
├── FileDamaged     any step
└── Incomplete      finish

Beside them stand `InputRefused` of the price reader and `StoreRefused` and `StoreUnavailable` of the store.
"""


class BatchRefused(Exception):
    """A run can't go on, and trying again won't help; the message says why."""


class ModelReplaced(BatchRefused):
    """This worker's model is not the one the run was planned for."""


class ShardDamaged(BatchRefused):
    """A shard's closes are gone or can't be read."""


class FileDamaged(BatchRefused):
    """A file of a run is not what it should be, as after a disk fault; the message names it."""


class Incomplete(BatchRefused):
    """Not every series came out exactly once."""
