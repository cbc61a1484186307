"""What the three steps of a batch run hand each other: its settings, its plan, and what stands where.

    <out>/runs/<as_of>/<run>/plan.json                     which series, in which shards; the first file of a run
                            /forecasts/part-00003.parquet  what an analyst reads …
                            /status/part-00003.parquet     … one row for each series that came in
                            /done/00003.json               a shard is done: digests and counts of its two parts
                            /_SUCCESS.json                 proven whole; the last file. Without it a run is not there
    <out>/scores/<as_of>.parquet                           how earlier runs did, once their closes are known
    <work>/<as_of>/<run>/shards/00003.parquet              closes on their way to a worker; of no use afterwards

<run> is made of the input's digest and the model's: the same closes, day, settings and model are the same run, which
writes the same files; anything else is another run, in a folder of its own.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, TypeVar

import duckdb
import msgspec

from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.manifest import Manifest, read_manifest
from lambda_fn.model.sessions import Sessions
from lambda_fn.tables.store import Store, open_store

Kind = TypeVar("Kind", bound=msgspec.Struct)

FOLDER = Path(__file__).parent.parent.parent / "models"
SCHEMA_VERSION = 1
SERIES_PER_SHARD = 8192  # a second of one processor, and about 100 MB of a worker's memory
STALE_AFTER = 5  # sessions: a trading week without a close

DUCKDB: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,  # never use the network
    "autoload_known_extensions": False,
    # On large tables it splits one aggregation into ten, each of which reads every row again: three times the time.
    "disabled_optimizers": "partitioned_execution",
}


class BatchRefused(Exception):
    """A run can't go on, and trying again won't help; the message says why."""


class InputRefused(BatchRefused):
    """The input can't be read; the message names the file."""


class ModelReplaced(BatchRefused):
    """This worker's model is not the one the run was planned for."""


class ShardDamaged(BatchRefused):
    """A shard's closes can't be read."""


class FileDamaged(BatchRefused):
    """A file of a run is not what it should be, as after a disk fault; the message names it."""


class Incomplete(BatchRefused):
    """Not every series came out exactly once."""


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a run is asked for; the input of the state machine may override any of its defaults."""

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
    """Which run, where: what every step after the plan is told."""

    out: str
    work: str
    as_of: str
    run: str

    @property
    def folder(self) -> str:
        """The key of the run's folder in the out store, with its slash."""
        return f"runs/{self.as_of}/{self.run}/"

    def shard(self, number: int) -> str:
        """The key of a shard in the work store."""
        return f"{self.as_of}/{self.run}/shards/{number:05}.parquet"

    @property
    def items(self) -> str:
        """The key of the list of shards in the work store, which the Distributed Map reads."""
        return f"{self.as_of}/{self.run}/shards.json"

    def done(self, number: int) -> str:
        """The key of the mark that a shard is done, in the out store."""
        return f"{self.folder}done/{number:05}.json"

    def table(self, name: str, number: int) -> str:
        """The key of a shard's part of a table, in the out store."""
        return f"{self.folder}{name}/part-{number:05}.parquet"

    def out_store(self) -> Store:
        """Where the run's files are."""
        return open_store(self.out)

    def work_store(self) -> Store:
        """Where its shards are."""
        return open_store(self.work)


class Shard(msgspec.Struct):
    """One part of the series, by a hash of their ids; what `finish` holds the parts that come out against."""

    number: int
    series: int
    ids: str  # the sum of the hashes of its ids


class Earlier(msgspec.Struct):
    """An earlier run whose forecasts may have met their closes by now."""

    as_of: str
    run: str
    shard_count: int
    hash: str
    levels: list[float]
    model_version: str
    model_digest: str


class Input(msgspec.Struct):
    """One file that was read."""

    name: str
    sha256: str
    bytes: int


class Plan(msgspec.Struct):
    """The first file of a run; everything that comes out is a function of it and of the closes."""

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
    inputs: list[Input]
    rows: int  # up to the day
    series: int
    hash: str  # whose hash of an id, modulo `shard_count`, decides its shard
    shard_count: int  # a power of two, so that the shards of two runs lie within each other
    shards: list[Shard]  # those that hold a series
    scored_until: str  # the steps that fall on later days are scored
    earlier: list[Earlier]


class Score(msgspec.Struct):
    """How the steps that fell on one day did, of one earlier run: sums over its series, in log returns."""

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
    """The last file of a run: it is there, whole."""

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


class Done(msgspec.Struct):
    """A shard is done."""

    number: int
    model_digest: str
    forecasts_sha256: str
    status_sha256: str
    counts: dict[str, int]  # status → series
    scores: list[Score]
    seconds: dict[str, float] = {}  # reading, inference, writing, scoring: of the run that did it


def serve_model(folder: Path) -> None:
    """Serve the model of another folder from now on."""
    os.environ["EFEMERA_MODELS"] = str(folder)
    for remembered in (manifest, forecaster, sessions):
        remembered.cache_clear()


def models_folder() -> Path:
    """The folder of the model that this process serves."""
    return Path(os.environ.get("EFEMERA_MODELS") or FOLDER)


@cache
def manifest() -> Manifest:
    """The manifest of the verified model of this process."""
    return read_manifest(models_folder())


def model_digest() -> str:
    """The digest of the model of this process, as answers carry it."""
    return manifest().files["model.onnx"][:12]


@cache
def forecaster() -> Forecaster:
    """The model of this process, verified and warm."""
    return Forecaster(models_folder())


@cache
def sessions() -> Sessions:
    """The trading days that come with the model."""
    return Sessions(models_folder())


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """A DuckDB of one thread, for the life of this process: to start one takes 13 ms."""
    return duckdb.connect(":memory:", config={**DUCKDB, "threads": 1})


@contextlib.contextmanager
def one_thread() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a DuckDB of one thread, which keeps rows in order; its temporary tables end with it."""
    with _database().cursor() as connection:
        yield connection


def decode(content: bytes, kind: type[Kind], name: str) -> Kind:
    """A JSON file of a run as its struct; raises `FileDamaged` naming it."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise FileDamaged(f"{name}: damaged; delete it and start the run again") from None


def read_plan(place: Place, store: Store) -> Plan:
    """The plan of a run; raises `BatchRefused` when it is missing or of another version."""
    content = store.read(f"{place.folder}plan.json")
    if content is None:
        raise BatchRefused(f"{place.out}/{place.folder}plan.json: there is no such run")
    plan = decode(content, Plan, f"{place.out}/{place.folder}plan.json")
    if plan.schema_version != SCHEMA_VERSION:
        raise BatchRefused(f"{place.out}/{place.folder}plan.json: schema version {plan.schema_version}")
    return plan
