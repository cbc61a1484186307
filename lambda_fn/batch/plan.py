"""Step 1 of a batch run: read every close once and cut the series into shards, by a hash of each id."""

from __future__ import annotations

import datetime
import hashlib
import zoneinfo
from collections.abc import Callable
from typing import Any

import duckdb
import msgspec

from lambda_fn.batch.database import DUCKDB
from lambda_fn.batch.earlier_runs import find_earlier_runs
from lambda_fn.batch.errors import BatchRefused
from lambda_fn.batch.last_closes import last_days, number, read_closes
from lambda_fn.batch.records import SCHEMA_VERSION, InputDigest, Place, Plan, Settings
from lambda_fn.batch.served_model import manifest, model_digest, sessions
from lambda_fn.batch.shard_writer import HASH, choose_shards, put_shards, write_shards
from lambda_fn.model.manifest import intervals_of
from lambda_fn.tables.errors import InputRefused
from lambda_fn.tables.price_files import PriceFile, check_unchanged, open_price_files
from lambda_fn.tables.price_rows import explain_failure
from lambda_fn.tables.s3 import is_s3, split_address
from lambda_fn.tables.store import Store, scratch
from lambda_fn.telemetry import logger

EARLIEST = datetime.date(1602, 1, 1)  # the first exchange's first year

OnStep = Callable[[str], None]


class PlanResult(msgspec.Struct, omit_defaults=True):
    """Result of the planning step (Step Functions output)."""

    state: str  # ready, done (this very run is there), waiting (closes have not arrived), closed (no session that day)
    as_of: str
    place: Place | None = None
    series: int = 0
    arrived: int = 0  # series that have a close of that day
    shards: int = 0
    waited: int = 0  # times


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Plan the run that `event["settings"]`, overridden by `event["input"]`, ask for."""
    requested = {**event["settings"], **event.get("input", {})}
    try:
        settings = msgspec.convert(requested, Settings)
    except msgspec.ValidationError as error:
        raise BatchRefused(f"the input of the run: {error}") from None
    result = plan(settings, waited=event.get("waited", 0))
    logger.info("plan", **msgspec.to_builtins(result))
    counts = {name: getattr(result, name) for name in ("series", "arrived", "waited")}  # said even where they are zero
    output: dict[str, Any] = {**msgspec.to_builtins(result), **counts}
    if result.place is not None and is_s3(result.place.work):  # where the Distributed Map reads its items
        bucket, prefix = split_address(result.place.work)
        output["items"] = {"bucket": bucket, "key": f"{prefix}/{result.place.shard_list_key}".lstrip("/")}
    return output


def plan(settings: Settings, waited: int = 0, on_step: OnStep = lambda _: None) -> PlanResult:
    """Read every close, put the shards into the work store and the plan into the run's folder.

    Of a scheduled run the day is that of its schedule, in the exchange's zone; it may be `closed`, or `waiting` for
    closes. `on_step` hears what is being done. Raises `BatchRefused` or what a store raises.
    """
    as_of = _as_of(settings)
    calendar = _calendar(settings)
    if settings.scheduled and sessions().holds(calendar, as_of) is False:
        return PlanResult("closed", str(as_of))
    with scratch() as folder:
        places = [settings.prices] if isinstance(settings.prices, str) else settings.prices
        files = open_price_files(places, folder, lambda name: on_step(f"reading {name}"))
        with duckdb.connect(":memory:", config={**DUCKDB, "temp_directory": str(folder / "spill")}) as database:
            try:
                closes = read_closes(database, files, folder, as_of)
            except duckdb.Error:
                raise explain_failure(database, files) from None
            series = number(database, f"SELECT count(*) FROM {closes.ids}")
            if not series:
                raise InputRefused("the files hold no rows of prices")
            arrived, alive = _arrived(last_days(database, closes), settings, as_of, calendar)
            if settings.scheduled and (not alive or arrived * 2 < alive):
                return PlanResult("waiting", str(as_of), series=alive, arrived=arrived, waited=waited + 1)
            place = _place(settings, as_of, files)
            store = place.out_store()
            result = PlanResult("ready", str(as_of), place, series, arrived, waited=waited)
            if store.read(place.success_key) is not None:
                return msgspec.structs.replace(result, state="done")
            on_step(f"sharding {series:,} series")
            planned = _plan(settings, place, store, files)
            planned.rows, planned.series = number(database, f"SELECT sum(rows) FROM {closes.ids}"), series
            planned.shard_count, planned.shards = choose_shards(database, closes, settings.series_per_shard)
            try:
                write_shards(database, closes, folder / "shards", as_of, planned)
            except duckdb.Error:  # of prices, which were not read before
                raise explain_failure(database, files) from None
        check_unchanged(files)
        put_shards(place, planned.shards, folder / "shards")
        store.put_new(place.plan_key, msgspec.json.format(msgspec.json.encode(planned), indent=1))
    return msgspec.structs.replace(result, shards=len(planned.shards))


def _as_of(settings: Settings) -> datetime.date:
    """Return the run's day: `as_of`, or the day of `scheduled` in its time zone."""
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
    """Check that the served model knows the calendar."""
    known = sessions().calendars
    if settings.calendar not in known:
        raise BatchRefused(f"the input of the run: calendar {settings.calendar!r} is not one of {', '.join(known)}")
    return settings.calendar


def _arrived(
    days: list[tuple[datetime.date, int]], settings: Settings, as_of: datetime.date, calendar: str
) -> tuple[int, int]:
    """Count the series that have a close of that day, and those that have a recent one."""
    alive = sum(count for day, count in days if sessions().between(calendar, day, as_of) <= settings.stale_after)
    return sum(count for day, count in days if day == as_of), alive


def _place(settings: Settings, as_of: datetime.date, files: list[PriceFile]) -> Place:
    """Return the run's place: its name is a digest of input, day, settings and model."""
    out = settings.out.rstrip("/") or "/"
    identity = msgspec.json.encode(
        [
            SCHEMA_VERSION,
            HASH,
            *(settings.calendar, settings.stale_after, settings.series_per_shard),
            sorted((file.short_name, file.sha256) for file in files),
        ]
    )
    digest = hashlib.sha256(identity).hexdigest()
    run = f"{digest[:12]}-{model_digest()}"
    return Place(out, settings.work.rstrip("/") or f"{out}/work", str(as_of), run)


def _plan(settings: Settings, place: Place, store: Store, files: list[PriceFile]) -> Plan:
    """Make the plan, all but its rows, series and shards."""
    model = manifest()
    until, earlier = find_earlier_runs(store, place.as_of, model.horizon)
    return Plan(
        SCHEMA_VERSION, place.as_of, settings.calendar, settings.stale_after, model.model_version, model_digest(),
        model.window, model.horizon, list(intervals_of(model.quantiles)), place.run.partition("-")[0],
        sorted([InputDigest(file.short_name, file.sha256, file.bytes) for file in files], key=lambda file: file.name),
        0, 0, HASH, 0, [], until, earlier,
    )  # fmt: skip
