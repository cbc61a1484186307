"""Read and write the JSON artefacts of a model under their schemas in `models/schemas`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from export.errors import GateRefused
from lambda_fn import MODELS

SCHEMAS = MODELS / "schemas"


def read_schema(kind: str) -> dict[str, Any]:
    """Read the schema of one artefact: manifest, golden, parity, evaluation, release or sessions."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{kind}.schema.json").read_text(encoding="utf-8"))
    return schema


def as_json(kind: str, value: dict[str, Any]) -> bytes:
    """Encode `value` as indented JSON, checked against `models/schemas/<kind>.schema.json`."""
    jsonschema.validate(value, read_schema(kind))
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parse_artefact(kind: str, content: bytes, folder: Path | str) -> dict[str, Any]:
    """Decode the `<kind>.json` of the set in `folder`; raises `GateRefused` naming the file and the JSON path."""
    try:
        value: dict[str, Any] = json.loads(content)
        jsonschema.validate(value, read_schema(kind))
    except ValueError as error:
        raise GateRefused(f"{folder}/{kind}.json: {error}") from None
    except jsonschema.ValidationError as error:
        raise GateRefused(f"{folder}/{kind}.json: {error.json_path}: {error.message}") from None
    return value
