"""An explanation as a table: a row for each day of the window and each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OF_DAY = {"y": "price", "return": "return", "x": "input", "median": "median", "width": "width"}  # column → member


def columns_of(answer: dict[str, Any], days: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The columns, (window × layers,) each, of an answer of `POST /explain`; `days` are the ISO dates of its window.

    Names are the answer's, but `ds`, `y` and, for what the network read, `x`: `input` is the layer's gate. Days and
    layers count from 0, as they do there. What the model does not have is no column.
    """
    rows = [(day, layer) for day in answer["days"] for layer in day["layers"]]
    columns: dict[str, NDArray[Any]] = {
        "unique_id": np.zeros(len(rows), np.int64),  # one series: the position of its label
        "day": np.array([day["day"] for day, _ in rows]),
        "ds": np.repeat(np.array(days, "datetime64[D]"), answer["layers"]),
    }
    columns |= {name: np.array([day[of] for day, _ in rows]) for name, of in OF_DAY.items() if of in rows[0][0]}
    columns["layer"] = np.tile(np.arange(answer["layers"]), answer["window"])
    return columns | {name: np.array([layer[name] for _, layer in rows]) for name in rows[0][1]}
