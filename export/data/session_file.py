"""Freeze trading days into one small file, `sessions.json`: dates for a reader that has no calendar library."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

from export.data.calendars import sessions
from export.data.destination import placing, write_table
from export.schemas import read_schema

SCHEMA_VERSION = 1

_ON_ONE_LINE = 7  # "2026-01": the days of one month


def freeze_sessions(calendars: Sequence[str], first: np.datetime64, last: np.datetime64) -> dict[str, Any]:
    """Make the content of `sessions.json`: every trading day of these calendars from `first` to `last`, both included.

    Raises `InputError` for a calendar that is not known, or not on all of these days.
    """
    frozen = {
        "schema_version": SCHEMA_VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "exchange_calendars": importlib.metadata.version("exchange_calendars"),
        "first": str(first),
        "last": str(last),
        "calendars": {name: sessions(name, first, last).astype(str).tolist() for name in calendars},
    }
    return {**frozen, "sha256": digest_of(frozen)}


def digest_of(frozen: dict[str, Any]) -> str:
    """SHA-256 in hex of everything but when it was written and the digest itself, as canonical JSON.

    Canonical is `json.dumps` with sorted keys and no spaces, all of it ASCII; `msgspec.json.encode` with
    `order="sorted"` gives the same bytes. So the same days have the same digest, however the file is laid out.
    """
    days = {name: value for name, value in frozen.items() if name not in ("created_at", "sha256")}
    return hashlib.sha256(json.dumps(days, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_sessions(frozen: dict[str, Any], out: str) -> bool:
    """Put frozen sessions at `out`: as JSON, or for .csv and .parquet as a table `calendar, ds`.

    A local JSON that holds the same days already is left as it is, so that freezing twice changes no byte; returns
    whether anything was written. Raises `InputError` when `out` can't be written.
    """
    if out.lower().endswith(".json"):
        if _digest_at(Path(out)) == frozen["sha256"]:
            return False
        content = as_json(frozen)
        with placing(out) as path:
            path.write_bytes(content)
        return True
    names = list(frozen["calendars"])
    lengths = [len(days) for days in frozen["calendars"].values()]
    days = [day for days in frozen["calendars"].values() for day in days]
    columns = {"calendar": np.repeat(np.arange(len(names)), lengths), "ds": np.array(days, dtype="datetime64[D]")}
    write_table(columns, out, labels={"calendar": names})
    return True


def as_json(frozen: dict[str, Any]) -> bytes:
    """The file's bytes, checked against its schema; the days of a month stand on one line."""
    jsonschema.validate(frozen, read_schema("sessions"))
    calendars = ",\n".join(f"  {json.dumps(name)}: [{_lines(days)}\n  ]" for name, days in frozen["calendars"].items())
    fields = [
        f" {json.dumps(name)}: " + (f"{{\n{calendars}\n }}" if name == "calendars" else json.dumps(value))
        for name, value in frozen.items()
    ]
    return ("{\n" + ",\n".join(fields) + "\n}\n").encode()


def _lines(days: Sequence[str]) -> str:
    text = ""
    for day, before in zip(days, ["", *days], strict=False):
        text += "," * bool(before) + (" " if day[:_ON_ONE_LINE] == before[:_ON_ONE_LINE] else "\n   ") + f'"{day}"'
    return text


def _digest_at(path: Path) -> str | None:
    """The digest of a file of sessions that is whole; None for anything else."""
    try:
        frozen = json.loads(path.read_bytes())
        return digest_of(frozen) if frozen["sha256"] == digest_of(frozen) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
