"""The first step of a batch run: one pass over all closes makes shards, by a hash of each series' id."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import math
import os
import zoneinfo
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from lambda_fn.batch_run import (
    DUCKDB,
    SCHEMA_VERSION,
    BatchRefused,
    Earlier,
    FileDamaged,
    Input,
    InputRefused,
    Place,
    Plan,
    Settings,
    Shard,
    Success,
    decode,
    manifest,
    model_digest,
    sessions,
)
from lambda_fn.forecaster import intervals_of
from lambda_fn.input_files import InputFile, open_inputs
from lambda_fn.input_rows import MACROS, NEEDS_CLEANING, csv_rows, explain, parquet_columns, parquet_rows, quote
from lambda_fn.last_closes import cut
from lambda_fn.store import Store, is_s3, scratch, split
from lambda_fn.telemetry import logger

HASH = f"duckdb {duckdb.__version__}"  # its hash may be another in another version
FEWEST_SERIES = 256  # in a shard of many: with fewer, a shard costs more than its forecasts
SPREAD = 8  # shards of a middling table, so that every core has something to do
MOST_SHARDS = 1 << 14  # a Distributed Map takes more; their files would be tiny
SERIES_AT_ONCE = 250_000  # cut at a time: half a gigabyte
UPLOADS = 8  # at once
EARLIEST = datetime.date(1602, 1, 1)  # the first exchange's first year
LOOK_BACK = 7  # days beside those of the steps themselves: holidays, and series that did not trade

Tell = Callable[[str], None]


class Answer(msgspec.Struct, omit_defaults=True):
    """What became of the plan, as Step Functions reads it."""

    state: str  # ready, done (this very run is there), waiting (closes have not arrived), closed (no session that day)
    as_of: str
    place: Place | None = None
    series: int = 0
    arrived: int = 0  # series that have a close of that day
    shards: int = 0
    waited: int = 0  # times


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Plan the run that `event["settings"]`, overridden by `event["input"]`, ask for."""
    asked = {**event["settings"], **event.get("input", {})}
    try:
        settings = msgspec.convert(asked, Settings)
    except msgspec.ValidationError as error:
        raise BatchRefused(f"the input of the run: {error}") from None
    answer = plan(settings, waited=event.get("waited", 0))
    logger.info("plan", **msgspec.to_builtins(answer))
    counts = {name: getattr(answer, name) for name in ("series", "arrived", "waited")}  # said even where they are zero
    found: dict[str, Any] = {**msgspec.to_builtins(answer), **counts}
    if answer.place is not None and is_s3(answer.place.work):  # where the Distributed Map reads its items
        bucket, prefix = split(answer.place.work)
        found["items"] = {"bucket": bucket, "key": f"{prefix}/{answer.place.items}".lstrip("/")}
    return found


def plan(settings: Settings, waited: int = 0, tell: Tell = lambda _: None) -> Answer:
    """Read every close, put the shards into the work store and the plan into the run's folder.

    Of a scheduled run the day is that of its schedule, in the exchange's zone; it may be `closed`, or `waiting` for
    closes. `tell` hears what is being done. Raises `BatchRefused` or what a store raises.
    """
    as_of = _as_of(settings)
    calendar = _calendar(settings)
    if settings.scheduled and sessions().holds(calendar, as_of) is False:
        return Answer("closed", str(as_of))
    with scratch() as folder:
        places = [settings.prices] if isinstance(settings.prices, str) else settings.prices
        files = open_inputs(places, folder, lambda name: tell(f"reading {name}"))
        with duckdb.connect(":memory:", config={**DUCKDB, "temp_directory": str(folder / "spill")}) as database:
            try:
                _read(database, files, folder, as_of)
            except duckdb.Error:
                raise explain(database, files) from None
            series = _number(database, "SELECT count(*) FROM ids")
            if not series:
                raise InputRefused("the files hold no rows of prices")
            arrived, alive = _arrived(database, settings, as_of, calendar)
            if settings.scheduled and (not alive or arrived * 2 < alive):
                return Answer("waiting", str(as_of), series=alive, arrived=arrived, waited=waited + 1)
            place = _place(settings, as_of, files)
            store = place.out_store()
            answer = Answer("ready", str(as_of), place, series, arrived, waited=waited)
            if store.read(f"{place.folder}_SUCCESS.json") is not None:
                return msgspec.structs.replace(answer, state="done")
            tell(f"sharding {series:,} series")
            made = _plan(settings, place, store, files)
            made.rows, made.series = _number(database, "SELECT sum(rows) FROM ids"), series
            made.shard_count, made.shards = _shards(database, settings.series_per_shard)
            try:
                _write(database, folder / "shards", as_of, made)
            except duckdb.Error:  # of prices, which were not read before
                raise explain(database, files) from None
        _put_shards(place, made.shards, folder / "shards")
        store.put_new(f"{place.folder}plan.json", msgspec.json.format(msgspec.json.encode(made), indent=1))
    return msgspec.structs.replace(answer, shards=len(made.shards))


def _as_of(settings: Settings) -> datetime.date:
    if settings.as_of is not None:
        if settings.as_of < EARLIEST:
            raise BatchRefused(f"the input of the run: as_of {settings.as_of} is before {EARLIEST}")
        return settings.as_of
    if settings.scheduled is None or settings.scheduled.tzinfo is None:
        raise BatchRefused("the input of the run: it needs as_of, or scheduled with its offset from UTC")
    try:
        zone = zoneinfo.ZoneInfo(settings.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BatchRefused(f"the input of the run: there is no time zone {settings.time_zone!r}") from None
    return settings.scheduled.astimezone(zone).date()


def _calendar(settings: Settings) -> str:
    known = sessions().calendars
    if settings.calendar not in known:
        raise BatchRefused(f"the input of the run: calendar {settings.calendar!r} is not one of {', '.join(known)}")
    return settings.calendar


def _read(database: duckdb.DuckDBPyConnection, files: list[InputFile], folder: Path, as_of: datetime.date) -> None:
    """Make the view `closes` (unique_id, ds, y, fault) and the table `ids`, each series with what there is of it.

    CSV is parsed once, into a Parquet file of our own.
    """
    database.execute(MACROS)
    tables: dict[Any, list[InputFile]] = {}
    for file in files:
        alike = file.header if file.ending != ".parquet" else parquet_columns(database, file)
        tables.setdefault(alike, []).append(file)
    parsed: list[str] = []
    for number, (alike, group) in enumerate(tables.items()):
        if not isinstance(alike, tuple):
            path = quote(str(folder / f"parsed-{number}.parquet"), "'")
            database.execute(f"COPY ({csv_rows(group)}) TO {path} (FORMAT parquet)")
            parsed.append(f"SELECT * FROM read_parquet({path}, hive_partitioning = false)")
    for cleaned in (False, True):
        given = [parquet_rows(group, alike, cleaned) for alike, group in tables.items() if isinstance(alike, tuple)]
        database.execute(f"CREATE OR REPLACE VIEW closes AS {' UNION ALL BY NAME '.join(parsed + given)}")
        database.execute(f"""
            CREATE OR REPLACE TABLE ids AS
            SELECT unique_id, hash(unique_id) AS hash, max(ds) FILTER (ds <= DATE '{as_of}') AS last,
                count(*) FILTER (ds <= DATE '{as_of}' OR ds IS NULL) AS rows, count(*) - count(ds) AS undated
            FROM closes GROUP BY unique_id""")
        if not _number(database, f"SELECT count(*) FROM ids WHERE {NEEDS_CLEANING}"):
            break


def _number(database: duckdb.DuckDBPyConnection, query: str) -> int:
    [(found,)] = database.execute(query).fetchall()
    return int(found or 0)


def _arrived(
    database: duckdb.DuckDBPyConnection, settings: Settings, as_of: datetime.date, calendar: str
) -> tuple[int, int]:
    """How many series have a close of that day, of how many that have a recent one."""
    days = database.execute("SELECT last, count(*) FROM ids WHERE last IS NOT NULL GROUP BY last").fetchall()
    alive = sum(count for day, count in days if sessions().between(calendar, day, as_of) <= settings.stale_after)
    return sum(count for day, count in days if day == as_of), alive


def _place(settings: Settings, as_of: datetime.date, files: list[InputFile]) -> Place:
    """Where the run is: a function of the input, the day, the settings and the model."""
    out = settings.out.rstrip("/") or "/"
    told = msgspec.json.encode(
        [
            SCHEMA_VERSION,
            HASH,
            *(settings.calendar, settings.stale_after, settings.series_per_shard),
            sorted((file.short_name, file.sha256) for file in files),
        ]
    )
    digest = hashlib.sha256(told).hexdigest()
    run = f"{digest[:12]}-{model_digest()}"
    return Place(out, settings.work.rstrip("/") or f"{out}/work", str(as_of), run)


def _shards(database: duckdb.DuckDBPyConnection, largest: int) -> tuple[int, list[Shard]]:
    """How many shards there are, by the hash of an id modulo that power of two, and those that hold a series."""
    series = _number(database, "SELECT count(*) FROM ids")
    wanted = max(series / largest, min(SPREAD, series / FEWEST_SERIES))
    count = 1
    while count <= MOST_SHARDS:
        if count >= wanted:
            found = database.execute(f"""
                SELECT hash & {count - 1}, count(*), CAST(sum(hash) AS VARCHAR) FROM ids GROUP BY ALL ORDER BY ALL""")
            shards = [Shard(*row) for row in found.fetchall()]
            if max(shard.series for shard in shards) <= largest:
                return count, shards
        count *= 2
    raise BatchRefused(f"series_per_shard {largest} is too small for {series:,} series")


def _write(database: duckdb.DuckDBPyConnection, folder: Path, as_of: datetime.date, made: Plan) -> None:
    """Write the shards of a plan into `folder`, each as shard=N/data_0.parquet.

    The series are cut in slices, by the low bits of the hash that makes the shards, so that their lists fit into
    memory; and DuckDB writes a table of lists in one thread, so each processor writes some of a slice's shards. The
    days are handed on as far back as an earlier forecast to be scored can have been made.
    """
    threads, slices = os.cpu_count() or 1, 1
    while slices < made.shard_count and made.series / slices > SERIES_AT_ONCE:
        slices *= 2
    first = min([earlier.as_of for earlier in made.earlier], default=made.as_of)
    days = min(made.window, (as_of - datetime.date.fromisoformat(first)).days + 2 * made.stale_after + LOOK_BACK)

    def write(turn: int) -> None:
        with database.cursor() as connection:
            connection.execute(f"""
                COPY (
                    SELECT unique_id, rows, days[:{days}] AS days, closes[:{made.window}] AS closes, fault,
                        hash(unique_id) & {made.shard_count - 1} AS shard
                    FROM series WHERE shard // {slices} % {threads} = {turn}
                ) TO {quote(str(folder), "'")}
                (FORMAT parquet, COMPRESSION uncompressed, PARTITION_BY (shard), APPEND)""")

    database.execute(f"SET partitioned_write_max_open_files = {made.shard_count * threads + 1}")
    with ThreadPoolExecutor(threads) as pool:
        for number in range(slices):
            cut(database, made.window, as_of, (number, slices))
            list(pool.map(write, range(threads)))


def _put_shards(place: Place, shards: list[Shard], folder: Path) -> None:
    """Hand the shards over, with the list of them that the Distributed Map reads."""
    store = place.work_store()

    def put(shard: Shard) -> None:
        [path] = (folder / f"shard={shard.number}").iterdir()
        store.put(place.shard(shard.number), path)

    with ThreadPoolExecutor(UPLOADS) as pool:
        list(pool.map(put, shards))
    items = [{"shard": shard.number} for shard in shards]
    store.put(place.items, msgspec.json.encode(items))


def _plan(settings: Settings, place: Place, store: Store, files: list[InputFile]) -> Plan:
    """What is known of the run before its shards are."""
    model = manifest()
    scored = [name.removesuffix(".parquet") for name in store.children("scores/")]
    until = max((day for day in scored if day < place.as_of), default="")
    reach = datetime.timedelta(LOOK_BACK + 7 * math.ceil(model.horizon / 5))  # a week for each five sessions
    first = str(datetime.date.fromisoformat(until or place.as_of) - reach)
    return Plan(
        SCHEMA_VERSION, place.as_of, settings.calendar, settings.stale_after, model.model_version, model_digest(),
        model.window, model.horizon, list(intervals_of(model.quantiles)), place.run.partition("-")[0],
        sorted([Input(file.short_name, file.sha256, file.bytes) for file in files], key=lambda file: file.name),
        0, 0, HASH, 0, [], until or first, _earlier(store, first, place.as_of),
    )  # fmt: skip


def _earlier(store: Store, first: str, as_of: str) -> list[Earlier]:
    """The last finished run of each day from `first` until before `as_of`."""
    found = []
    for day in store.children("runs/"):
        if not first <= day < as_of:
            continue
        finished: list[tuple[str, str, Success]] = []
        for run in store.children(f"runs/{day}/"):
            content = store.read(f"runs/{day}/{run}/_SUCCESS.json")
            if content is not None:
                with contextlib.suppress(FileDamaged):  # as good as not there; it is no fault of this run
                    success = decode(content, Success, run)
                    finished.append((success.finished_at, run, success))
        if finished:
            _, run, success = max(finished, key=lambda one: one[:2])
            found.append(
                Earlier(
                    day, run, success.shard_count, success.hash, success.levels,
                    success.model_version, success.model_digest,
                )
            )  # fmt: skip
    return found
