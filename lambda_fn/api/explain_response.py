"""Explain the forecast of a valid request: the answer of `POST /explain` and `efemera explain`, with no HTTP in it."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from lambda_fn.api.highlights import Note, notes_of
from lambda_fn.api.request_body import ExplainRequest
from lambda_fn.model.attribution import MEMORY, Attribution, attribute_forecast
from lambda_fn.model.forecaster import Array, Forecaster, Inference
from lambda_fn.model.gates import Weights
from lambda_fn.model.sessions import WEEKDAYS

DECIMALS = 6  # of every single gate: what float32 holds of one, in half the bytes
SIGNED = {"candidate", "cell", "hidden"}  # from below zero to above: their mean over the units is of absolute values


class MedianAndWidth(msgspec.Struct):
    """A forecast of the first step: its median and the width of its interval, absent where the model has none."""

    median: float
    width: float | UnsetType = UNSET


class Agreement(msgspec.Struct):
    """Largest |Δ| / max(1, |value|) between the six equations' output and the graph's, and the most that is let pass.

    In units of the network's output, as the export's parity gate measures it and with its tolerance.
    """

    difference: float
    tolerance: float


class LayerDay(msgspec.Struct, gc=False):
    """One layer on one day: means over its units, of those gates and states that its cell has.

    `candidate`, `cell` and `hidden` are means of absolute values. `closed` counts the units whose forget gate (of a
    GRU: update gate) was below 0.5; `kept` is how much of what they held that day is still there on the last: the mean
    of the products of that gate over the days after it.
    """

    forget: float | UnsetType = UNSET
    input: float | UnsetType = UNSET
    output: float | UnsetType = UNSET
    reset: float | UnsetType = UNSET
    update: float | UnsetType = UNSET
    candidate: float | UnsetType = UNSET
    cell: float | UnsetType = UNSET
    hidden: float | UnsetType = UNSET
    closed: int | UnsetType = UNSET
    kept: float | UnsetType = UNSET


class Day(msgspec.Struct, gc=False):
    """One day of the model's window; day 0 is the oldest, here and in the notes.

    `return` is price / the day before's - 1, 0 on day 0; `input` what the network read. `median` and `width` are what
    knowing this day added to those of the forecast, in price: over all days they add up to `forecast` - `baseline`.
    """

    day: int
    price: float
    return_: float = msgspec.field(name="return")
    input: float
    median: float
    layers: list[LayerDay]
    width: float | UnsetType = UNSET
    date: str | UnsetType = UNSET


class LayerGates(msgspec.Struct):
    """Every gate and state of one layer: rows are days, columns units as the model numbers them, to six decimals.

    `order` sorts the units so that those which move together stand side by side.
    """

    order: list[int]
    forget: list[list[float]] | UnsetType = UNSET
    input: list[list[float]] | UnsetType = UNSET
    output: list[list[float]] | UnsetType = UNSET
    reset: list[list[float]] | UnsetType = UNSET
    update: list[list[float]] | UnsetType = UNSET
    candidate: list[list[float]] | UnsetType = UNSET
    cell: list[list[float]] | UnsetType = UNSET
    hidden: list[list[float]] | UnsetType = UNSET


class Explained(msgspec.Struct):
    """Explanation of one forecast; prices in the request's own unit.

    `baseline` is the forecast if no day had a return; `level` names the interval that is meant by width, the model's
    nearest to 80%, null where it has none. Days become known oldest first, and those not yet known have no return.
    `reach` says of each layer for how many days before the last `kept` is at least 0.5. `gates` come with `detail`
    "full" only.
    """

    predicted_price: float
    last_price: float
    verdict: str
    model_version: str
    model_digest: str
    warnings: list[str]
    cell: str
    layers: int
    units: int
    window: int
    agreement: Agreement
    baseline: MedianAndWidth
    level: float | None
    forecast: MedianAndWidth
    days: list[Day]
    notes: list[Note]
    reach: list[int] | UnsetType = UNSET
    gates: list[LayerGates] | UnsetType = UNSET


def explain_forecast(inference: Inference, weights: Weights, request: ExplainRequest) -> Explained:
    """Explain the forecast of the last `window` closes of a valid request.

    Raises `Disagreement` and `DeadlineExceeded`.
    """
    forecaster, prices = inference.forecaster, request.prices[-weights.window :]
    inference.expect(weights.window)
    attribution = attribute_forecast(forecaster, weights, np.array(prices), inference.quantiles)
    inference.series = 1  # one was forecast, though the graph was asked about each day of it
    dates: list[str | None] = [None] * len(prices)
    warnings = ["constant"] if prices.count(prices[0]) == len(prices) else []
    if request.last_date is not None:
        dates = forecaster.sessions.up_to(request.calendar or WEEKDAYS, request.last_date, len(prices))
        warnings += ["undated"] if None in dates else []
    return to_response(forecaster, weights, attribution, dates, warnings, request.detail == "full")


def to_response(
    forecaster: Forecaster,
    weights: Weights,
    attribution: Attribution,
    dates: list[str | None],
    warnings: list[str],
    is_full: bool,
) -> Explained:
    """Build the answer of an attribution; `dates` are those of its days, None where one is not known."""
    manifest, memory = forecaster.manifest, MEMORY.get(weights.cell)
    reach = [int((part.mean(axis=1) >= 0.5).sum()) - 1 for part in attribution.kept if part is not None]
    return Explained(
        predicted_price=attribution.forecast[0],
        last_price=float(attribution.prices[-1]),
        verdict=forecaster.verdict,
        model_version=manifest.model_version,
        model_digest=forecaster.model_digest,
        warnings=warnings,
        cell=weights.cell,
        layers=weights.layers,
        units=weights.hidden_size,
        window=weights.window,
        agreement=Agreement(attribution.difference, attribution.tolerance),
        baseline=_middle(attribution, attribution.baseline),
        level=attribution.level,
        forecast=_middle(attribution, attribution.forecast),
        days=_days(attribution, memory, dates),
        notes=notes_of(attribution, memory, dates),
        reach=reach if memory else UNSET,
        gates=_gates(attribution) if is_full else UNSET,
    )


def _middle(attribution: Attribution, forecast: tuple[float, float]) -> MedianAndWidth:
    return MedianAndWidth(forecast[0], forecast[1] if attribution.level is not None else UNSET)


def _days(attribution: Attribution, memory: str | None, dates: list[str | None]) -> list[Day]:
    pairs = zip(attribution.layers, attribution.kept, strict=True)
    layers = [_layer_days(layer, memory, kept) for layer, kept in pairs]
    columns = (attribution.prices, attribution.returns, attribution.inputs, attribution.median, attribution.width)
    rows = zip(*(column.tolist() for column in columns), zip(*layers, strict=True), dates, strict=True)
    has_width = attribution.level is not None
    return [
        Day(number, price, back, x, median, [*parts], width if has_width else UNSET, date or UNSET)
        for number, (price, back, x, median, width, parts, date) in enumerate(rows)
    ]


def _layer_days(layer: dict[str, Array], memory: str | None, kept: Array | None) -> list[LayerDay]:
    """One layer (window, units) day by day."""
    columns: dict[str, list[float]] = {
        name: (np.abs(values) if name in SIGNED else values).mean(axis=1).tolist() for name, values in layer.items()
    }
    if memory is not None and kept is not None:
        columns["closed"] = (layer[memory] < 0.5).sum(axis=1).tolist()
        columns["kept"] = kept.mean(axis=1).tolist()
    return [LayerDay(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def _gates(attribution: Attribution) -> list[LayerGates]:
    return [
        LayerGates(order.tolist(), **{name: values.round(DECIMALS).tolist() for name, values in layer.items()})
        for layer, order in zip(attribution.layers, attribution.order, strict=True)
    ]
