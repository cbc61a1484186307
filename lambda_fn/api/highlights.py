"""Describe the most striking days of an attribution in words: nothing usual, no number that the data don't hold."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from lambda_fn.model.attribution import Attribution
from lambda_fn.model.forecaster import Array

MOST_NOTES = 5
STRIKING = 3.0  # times what is usual in the window: of normal returns one in sixty is
FEWEST = 0.1  # of a layer's units: fewer that change their habit are no news
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


class Note(msgspec.Struct):
    """One striking day.

    By kind: `moved`, a large return of its own; `widened`, a large part of the interval's width; `forgot` and
    `remembered`, the forget gate (of a GRU: update gate) below 0.5 in more units than usual, or not below; `opened`,
    the input gate not below 0.5 in more. `times` is how many times the window's usual size: of `moved` and
    `widened` the mean absolute return and share of the width, of the gates the mean distance from the median number of
    units, `usual`. `text` says it in English; `day` counts from 0, and `layer` too.
    """

    kind: str
    day: int
    return_: float = msgspec.field(name="return")
    times: float
    text: str
    date: str | UnsetType = UNSET
    layer: int | UnsetType = UNSET
    gate: str | UnsetType = UNSET
    units: int | UnsetType = UNSET
    of: int | UnsetType = UNSET
    usual: int | UnsetType = UNSET
    width: float | UnsetType = UNSET


def notes_of(attribution: Attribution, memory: str | None, dates: list[str | None]) -> list[Note]:
    """Select at most five notes, the most striking first. `memory` is the gate that keeps a day, if there is one."""
    notes = [note for note in _candidates(attribution, memory) if note.times >= STRIKING]
    notes.sort(key=lambda note: -note.times)
    for note in notes[:MOST_NOTES]:
        note.date = dates[note.day] or UNSET
    return notes[:MOST_NOTES]


def _candidates(attribution: Attribution, memory: str | None) -> Iterator[Note]:
    """Select the most unusual day per event kind and layer."""
    day, times = _largest(np.abs(attribution.returns))
    back = float(attribution.returns[day])
    verb = "rose" if back > 0 else "fell"
    yield Note(
        "moved", day, back, times, f"day {day} {verb} {_percent(back)}, {times:.1f} times this window's mean move"
    )
    if attribution.level is not None:
        day, times = _largest(attribution.width)
        width, back = float(attribution.width[day]), float(attribution.returns[day])
        text = (
            f"{_subject(day, back)}, added {width:.3g} to the width of the {attribution.level:g}% interval,"
            f" {attribution.forecast[1]:.3g} in all, {times:.1f} times the mean day"
        )
        yield Note("widened", day, back, times, text, width=width)
    for number, layer in enumerate(attribution.layers):
        if memory is not None:
            yield from _gate_notes(attribution, number, "forgot", memory, layer[memory] < 0.5)
            yield from _gate_notes(attribution, number, "remembered", memory, layer[memory] >= 0.5)
        if "input" in layer:
            yield from _gate_notes(attribution, number, "opened", "input", layer["input"] >= 0.5)


GATE_TEXT = {
    "forgot": "closed the {gate} gate of {units} of {of} units",
    "remembered": "held the {gate} gate of {units} of {of} units open",
    "opened": "opened the {gate} gate of {units} of {of} units",
}


def _gate_notes(attribution: Attribution, layer: int, kind: str, gate: str, are: NDArray[np.bool_]) -> Iterator[Note]:
    """Select the day on which the most units are so; `are` (window, units)."""
    counts = are.sum(axis=1)[1:]  # day 0 has no return: what the gates do there answers nothing
    of, usual = are.shape[1], int(np.sort(counts)[len(counts) // 2])
    day = int(np.argmax(counts)) + 1
    units = int(counts[day - 1])
    if units - usual < FEWEST * of:
        return
    times = (units - usual) / float(np.abs(counts - usual).mean())
    back = float(attribution.returns[day])
    where = f" in {_layer(layer)}" if len(attribution.layers) > 1 else ""
    text = f"{_subject(day, back)}, {GATE_TEXT[kind].format(gate=gate, units=units, of=of)}{where}; usually {usual}"
    yield Note(kind, day, back, times, text, layer=layer, gate=gate, units=units, of=of, usual=usual)


def _largest(sizes: Array) -> tuple[int, float]:
    """Find the largest day, and its ratio to the mean of all days but the first, which has no return."""
    day = int(np.argmax(sizes))
    mean = float(np.abs(sizes[1:]).mean())
    return day, float(sizes[day]) / mean if mean > 0 else 0.0


def _subject(day: int, back: float) -> str:
    if back == 0:
        return f"day {day}, an unchanged close"
    return f"day {day}, the {_percent(back)} {'rise' if back > 0 else 'fall'}"


def _percent(back: float) -> str:
    size = abs(back) * 100
    return f"{size:.1f}%" if 0.95 <= size < 1e4 else f"{size:.2g}%"


def _layer(number: int) -> str:
    return f"the {ORDINALS[number]} layer" if number < len(ORDINALS) else f"layer {number}"
