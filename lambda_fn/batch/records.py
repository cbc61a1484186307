"""Records that the three steps of a batch run hand each other, and the keys of a run's files.

    <out>/runs/<as_of>/<run>/plan.json                     Plan: which series, in which shards; a run's first file
                            /forecasts/part-00003.parquet  the forecasts of a shard, a row for each step (forecast.py)
                            /status/part-00003.parquet     a row for each series that came in: forecast, or why not
                            /done/00003.json               ShardDone: digests and counts of these two parts
                            /_SUCCESS.json                 Success: proven whole; the last file. Without it no run
    <out>/scores/<as_of>.parquet                           scores of earlier forecasts that met closes (score_table.py)
    <work>/<as_of>/<run>/shards/00003.parquet              closes on their way to a worker (shard_writer.py)
                        /shards.json                       numbers of the shards, for the Distributed Map

<run> is made of the input's digest and the model's: the same closes, day, settings and model are the same run, which
writes the same files; anything else is another run, in a folder of its own.
"""

from __future__ import annotations

import datetime
from typing import Annotated, TypeVar

import msgspec

from lambda_fn.batch.errors import BatchRefused, FileDamaged
from lambda_fn.tables.store import Store, open_store

Record = TypeVar("Record", bound=msgspec.Struct)

SCHEMA_VERSION = 1
SERIES_PER_SHARD = 8192  # a second of one processor, and about 100 MB of a worker's memory
STALE_AFTER = 5  # sessions: a trading week without a close


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Settings of a run; the input of the state machine may override any of them."""

    prices: str | list[str]  # files, folders, s3://bucket/key or s3://bucket/prefix/
    out: str
    work: str = ""  # <out>/work unless named
    as_of: datetime.date | None = None  # the last day whose closes are read …
    scheduled: datetime.datetime | None = None  # … or the moment it was due, whose date in time_zone is that day
    time_zone: str = "America/Sao_Paulo"
    calendar: str = "weekdays"  # whose sessions date the steps, and count how old a close is
    stale_after: Annotated[int, msgspec.Meta(ge=0, le=1000)] = STALE_AFTER
    series_per_shard: Annotated[int, msgspec.Meta(ge=16, le=100_000)] = SERIES_PER_SHARD


class Place(msgspec.Struct):
    """Identify a run and name its files: what every step after the plan is given."""

    out: str
    work: str
    as_of: str
    run: str

    @property
    def folder(self) -> str:
        """Return the key of the run's folder in the out store, with its slash."""
        return f"runs/{self.as_of}/{self.run}/"

    @property
    def plan_key(self) -> str:
        """Return the key of the `Plan` in the out store."""
        return f"{self.folder}plan.json"

    @property
    def success_key(self) -> str:
        """Return the key of the `Success` in the out store."""
        return f"{self.folder}_SUCCESS.json"

    def shard_key(self, number: int) -> str:
        """Return the key of a shard in the work store."""
        return f"{self.as_of}/{self.run}/shards/{number:05}.parquet"

    @property
    def shard_list_key(self) -> str:
        """Return the key of the list of shards in the work store, which the Distributed Map reads."""
        return f"{self.as_of}/{self.run}/shards.json"

    def done_key(self, number: int) -> str:
        """Return the key of a shard's `ShardDone` in the out store."""
        return f"{self.folder}done/{number:05}.json"

    def part_key(self, name: str, number: int) -> str:
        """Return the key of a shard's part of a table, `forecasts` or `status`, in the out store."""
        return f"{self.folder}{name}/part-{number:05}.parquet"

    def out_store(self) -> Store:
        """Open the store of the run's files."""
        return open_store(self.out)

    def work_store(self) -> Store:
        """Open the store of its shards."""
        return open_store(self.work)


class Shard(msgspec.Struct):
    """Count and identify the series of a shard: `finish` holds the parts that come out against it."""

    number: int
    series: int
    ids: str  # the sum of the hashes of its ids


class EarlierRun(msgspec.Struct):
    """Earlier run to score: its forecasts may have met closes since."""

    as_of: str
    run: str
    shard_count: int
    hash: str
    levels: list[float]
    model_version: str
    model_digest: str


class InputDigest(msgspec.Struct):
    """Name, digest and size of an input file."""

    name: str
    sha256: str
    bytes: int


class Plan(msgspec.Struct):
    """Plan of a run: all that comes out is a function of it and of the closes."""

    schema_version: int
    as_of: str
    calendar: str
    stale_after: int
    model_version: str
    model_digest: str
    window: int
    horizon: int
    levels: list[float]
    input_digest: str
    inputs: list[InputDigest]
    rows: int  # up to the day
    series: int
    hash: str  # whose hash of an id, modulo `shard_count`, decides its shard
    shard_count: int  # a power of two, so that the shards of two runs lie within each other
    shards: list[Shard]  # those that hold a series
    scored_until: str  # the steps that fall on later days are scored
    earlier: list[EarlierRun]


class Score(msgspec.Struct):
    """Errors of one earlier run, step and day, summed over series, in log returns."""

    as_of: str
    run: str
    model_version: str
    model_digest: str
    step: int
    ds: str
    series: int
    absolute_error: float
    naive_absolute_error: float
    pinball: float
    covered: dict[str, int]  # level → how many fell into the interval


class Success(msgspec.Struct):
    """Summary of a run that is proven whole: `_SUCCESS.json`."""

    schema_version: int
    as_of: str
    calendar: str
    model_version: str
    model_digest: str
    input_digest: str
    horizon: int
    levels: list[float]
    series: int
    forecast: int  # of these
    refused: dict[str, int]  # status → series
    verdict: str
    hash: str
    shard_count: int
    finished_at: str


class ShardDone(msgspec.Struct):
    """Mark that a shard is done: digests and counts of its parts, and the scores of its series."""

    number: int
    model_digest: str
    forecasts_sha256: str
    status_sha256: str
    counts: dict[str, int]  # status → series
    scores: list[Score]
    seconds: dict[str, float] = {}  # reading, inference, writing, scoring: of the worker that did it


def decode(content: bytes, kind: type[Record], name: str) -> Record:
    """Decode a JSON file of a run; raises `FileDamaged` naming it."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise FileDamaged(f"{name}: damaged; delete it and start the run again") from None


def read_plan(place: Place, store: Store) -> Plan:
    """Read the plan of a run; raises `BatchRefused` when it is missing or of another schema version."""
    name = f"{place.out}/{place.plan_key}"
    content = store.read(place.plan_key)
    if content is None:
        raise BatchRefused(f"{name}: there is no such run")
    plan = decode(content, Plan, name)
    if plan.schema_version != SCHEMA_VERSION:
        raise BatchRefused(f"{name}: schema version {plan.schema_version}")
    return plan
