"""The JSON schemas of the artefacts, in models/schemas: what crosses the border must fit them."""

from __future__ import annotations

import json
from typing import Any

from lambda_fn import MODELS

SCHEMAS = MODELS / "schemas"


def read_schema(kind: str) -> dict[str, Any]:
    """The schema of one artefact: manifest, golden, parity or sessions."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{kind}.schema.json").read_text(encoding="utf-8"))
    return schema
