"""Run a whole batch in this process, and read its files."""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lambda_fn.batch import finish, forecast, plan, records
from lambda_fn.batch.records import Place, Settings, Success
from tests.lambda_fn.batch.market import DAY


class Ran(NamedTuple):
    """A finished run."""

    place: Place
    success: Success
    plan: records.Plan

    @property
    def folder(self) -> Path:
        return path_of(self.place)

    @property
    def forecasts(self):
        return whole(self.folder / "forecasts", ["unique_id", "step"])

    @property
    def status(self):
        return whole(self.folder / "status", ["unique_id"])

    @property
    def reasons(self):
        """Return status and reason of each series."""
        return {row.unique_id: (row.status, row.reason) for row in self.status.itertuples()}


def whole(folder, order):
    """Read all parts of a table, as an analyst does."""
    return pd.read_parquet(folder).sort_values(order).reset_index(drop=True)


def asked(prices, out, as_of=DAY, **more):
    """Make the settings of a run: shards of sixteen series, so that a small table makes several."""
    places = [str(place) for place in prices] if isinstance(prices, list) else str(prices)
    day = datetime.date.fromisoformat(as_of) if as_of else None
    return Settings(**{"prices": places, "out": str(out), "as_of": day, "series_per_shard": 16} | more)


def forecast_all(place):
    """Run the second step, shard after shard; return its marks."""
    return [forecast.forecast_shard(place, number) for number in shards_of(place)]


def shards_of(place):
    """Read the numbers of a planned run's shards."""
    return [shard.number for shard in records.read_plan(place, place.out_store()).shards]


def path_of(place):
    """Return the folder of a run."""
    return Path(place.out) / place.folder


def run(prices, out, as_of=DAY, **more):
    """Plan, forecast and finish."""
    answer = plan.plan(asked(prices, out, as_of, **more))
    forecast_all(answer.place)
    success = finish.finish(answer.place)
    return Ran(answer.place, success, records.read_plan(answer.place, answer.place.out_store()))


def contents(folder):
    """Digest every file below a folder, by its path, without what is allowed to differ from one run to the next.

    That is the time it ended and the seconds it took. The shards under work/ are no part of the result: their rows
    have no order.
    """
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        key = path.relative_to(folder).as_posix()
        if path.is_file() and not key.startswith("work/") and not path.name.startswith("."):
            found[key] = told(path.read_bytes(), key)
    return found


def told(content, key):
    """Return a JSON file without its times, or the digest of another."""
    if not key.endswith(".json"):
        return hashlib.sha256(content).hexdigest()
    known = json.loads(content)
    known.pop("finished_at", None)
    known.pop("seconds", None)
    return known
