"""The first step of a batch run: one pass over all closes makes shards, by a hash of each series' id."""

from __future__ import annotations

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
    Input,
    InputRefused,
    Place,
    Plan,
    Settings,
    Shard,
    Success,
    manifest,
    model_digest,
    sessions,
)
from lambda_fn.forecaster import intervals_of
from lambda_fn.input_files import InputFile, open_inputs
from lambda_fn.input_rows import MACROS, csv_rows, explain, parquet_columns, parquet_rows, quote
from lambda_fn.store import Store, is_s3, scratch, split
from lambda_fn.telemetry import logger

HASH = f"duckdb {duckdb.__version__}"  # its hash may be another in another version
FEWEST_SERIES = 256  # in a shard of many: with fewer, a shard costs more than its forecasts
SPREAD = 8  # shards of a middling table, so that every core has something to do
MOST_SHARDS = 1 << 14  # a Distributed Map takes more; their files would be tiny
UPLOADS = 8  # at once
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
    found: dict[str, Any] = {**msgspec.to_builtins(answer), "waited": answer.waited}
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
                _read(database, files, folder)
                series = _count(database, as_of)
            except duckdb.Error:
                raise explain(database, files) from None
            arrived, alive = _arrived(database, settings, as_of, calendar)
            if settings.scheduled and arrived * 2 < alive:
                return Answer("waiting", str(as_of), series=alive, arrived=arrived, waited=waited + 1)
            place = _place(settings, as_of, files)
            store = place.out_store()
            answer = Answer("ready", str(as_of), place, series, arrived, waited=waited)
            if store.read(f"{place.folder}_SUCCESS.json") is not None:
                return msgspec.structs.replace(answer, state="done")
            tell(f"sharding {series:,} series")
            count, shards = _shard(database, settings, as_of, folder / "shards")
            [(rows,)] = database.execute("SELECT sum(rows) FROM ids").fetchall()
        _put_shards(place, shards, folder / "shards")
        made = _plan(settings, place, store, files)
        made.rows, made.series, made.shard_count, made.shards = int(rows), series, count, shards
        store.put_new(f"{place.folder}plan.json", msgspec.json.format(msgspec.json.encode(made), indent=1))
    return msgspec.structs.replace(answer, shards=len(shards))


def _as_of(settings: Settings) -> datetime.date:
    if settings.as_of is not None:
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


def _read(database: duckdb.DuckDBPyConnection, files: list[InputFile], folder: Path) -> None:
    """Make the view `closes`: unique_id, ds, y, fault. CSV is parsed once, into a Parquet file of our own."""
    database.execute(MACROS)
    tables: dict[Any, list[InputFile]] = {}
    for file in files:
        alike = file.header if file.ending != ".parquet" else parquet_columns(database, file)
        tables.setdefault(alike, []).append(file)
    queries = []
    for number, (alike, group) in enumerate(tables.items()):
        if isinstance(alike, tuple):
            queries.append(parquet_rows(group, alike))
            continue
        parsed = quote(str(folder / f"parsed-{number}.parquet"), "'")
        database.execute(f"COPY ({csv_rows(group)}) TO {parsed} (FORMAT parquet)")
        queries.append(f"SELECT * FROM read_parquet({parsed})")
    database.execute(f"CREATE VIEW closes AS {' UNION ALL BY NAME '.join(queries)}")


def _count(database: duckdb.DuckDBPyConnection, as_of: datetime.date) -> int:
    """Make the table `ids`: each series, its rows up to the day, its last day; returns how many series there are."""
    database.execute(f"""
        CREATE TEMP TABLE ids AS
        SELECT unique_id, hash(unique_id) AS hash, max(ds) FILTER (ds <= DATE '{as_of}') AS last,
            count(*) FILTER (ds <= DATE '{as_of}' OR ds IS NULL) AS rows
        FROM closes GROUP BY unique_id""")
    series: int
    [(series,)] = database.execute("SELECT count(*) FROM ids").fetchall()
    if not series:
        raise InputRefused("the files hold no rows of prices")
    return series


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


def _shard(
    database: duckdb.DuckDBPyConnection, settings: Settings, as_of: datetime.date, folder: Path
) -> tuple[int, list[Shard]]:
    """Write the shards into `folder`, each as shard=N/data_0.parquet; returns N's bound and the shards."""
    [(series,)] = database.execute("SELECT count(*) FROM ids").fetchall()
    wanted = max(series / settings.series_per_shard, min(SPREAD, series / FEWEST_SERIES))
    count, shards = 1, _shards(database, 1)
    while count < wanted or max(shard.series for shard in shards) > settings.series_per_shard:
        count *= 2
        if count > MOST_SHARDS:
            raise BatchRefused(f"series_per_shard {settings.series_per_shard} is too small for {series:,} series")
        shards = _shards(database, count)
    database.execute(f"SET partitioned_write_max_open_files = {count * (os.cpu_count() or 1) + 1}")
    # A series without a row up to the day keeps its place by a row without a day.
    database.execute(f"""
        COPY (
            SELECT unique_id, ds, y, fault, hash(unique_id) & {count - 1} AS shard FROM closes
            WHERE ds <= DATE '{as_of}' OR ds IS NULL
            UNION ALL BY NAME
            SELECT unique_id, CAST(NULL AS DATE) AS ds, CAST('NaN' AS DOUBLE) AS y, CAST(NULL AS VARCHAR) AS fault,
                hash & {count - 1} AS shard FROM ids WHERE rows = 0
        ) TO {quote(str(folder), "'")} (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (shard))""")
    return count, shards


def _shards(database: duckdb.DuckDBPyConnection, count: int) -> list[Shard]:
    found = database.execute(f"""
        SELECT hash & {count - 1}, count(*), CAST(sum(hash) AS VARCHAR) FROM ids GROUP BY ALL ORDER BY ALL""")
    return [Shard(*row) for row in found.fetchall()]


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
                success = msgspec.json.decode(content, type=Success)
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
