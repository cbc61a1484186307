"""The JSON schemas of the artefacts, in models/schemas: what crosses the border must fit them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parent.parent.parent / "models" / "schemas"


def read_schema(kind: str) -> dict[str, Any]:
    """The schema of one artefact: manifest, golden, parity or sessions."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{kind}.schema.json").read_text(encoding="utf-8"))
    return schema
