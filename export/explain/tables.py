"""Show an explanation as text and table: printed for people, or as columns with a row for each day and layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from export.screen import out as screen
from export.screen import price

LAST_DAYS = 12  # that the table shows without --all, beside the days with notes
WIDE_LAYERS = 2  # of which all gates fit into 80 columns
LETTERS = {"forget": "f", "input": "i", "output": "o", "reset": "r", "update": "z", "kept": "k"}  # the first as usual
DAY_COLUMNS = {"y": "price", "return": "return", "x": "input", "median": "median", "width": "width"}  # column → member


def explanation_columns(answer: dict[str, Any], days: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Tabulate an answer of `POST /explain`: columns (window × layers,); `days` are the ISO dates of its window.

    Names are the answer's, but `ds`, `y` and, for what the network read, `x`: `input` is the layer's gate. Days and
    layers count from 0, as they do there. What the model does not have is no column.
    """
    rows = [(day, layer) for day in answer["days"] for layer in day["layers"]]
    columns: dict[str, NDArray[Any]] = {
        "unique_id": np.zeros(len(rows), np.int64),  # one series: the position of its label
        "day": np.array([day["day"] for day, _ in rows]),
        "ds": np.repeat(np.array(days, "datetime64[D]"), answer["layers"]),
    }
    columns |= {name: np.array([day[of] for day, _ in rows]) for name, of in DAY_COLUMNS.items() if of in rows[0][0]}
    columns["layer"] = np.tile(np.arange(answer["layers"]), answer["window"])
    return columns | {name: np.array([layer[name] for _, layer in rows]) for name in rows[0][1]}


def print_explanation(name: str, answer: dict[str, Any], steps: list[dict[str, Any]], every: bool) -> None:
    """Print an answer of `POST /explain` beside the steps of `POST /predict`; `every`: each day of the window."""
    last_date = answer["days"][-1]["date"]
    level = answer["level"]
    interval = f"; {level:g}% interval " + "–".join(map(price, steps[0]["intervals"][f"{level:g}"])) if level else ""
    screen.print(
        f"{name} after {last_date}: {price(answer['predicted_price'])}, naive {price(answer['last_price'])}{interval}",
        style="bold",
    )
    labels = "".join(f" ({warning})" for warning in answer["warnings"])
    screen.print(f"model {answer['model_version']}, verdict: {answer['verdict']}; no investment advice{labels}")
    for line in (*_contribution_lines(answer), _agreement_line(answer)):
        screen.print(line)
    for number, note in enumerate(answer["notes"], start=1):
        screen.print(f"{number}  {note['date']}: {note['text']}")
    screen.print()
    gates = _shown_gates(answer)
    screen.print(_day_table(answer, gates, every))
    screen.print(_legend(answer, gates))


def _contribution_lines(answer: dict[str, Any]) -> Iterator[str]:
    """Sum up the days' contributions, and how long each layer holds what it has read."""
    baseline, forecast = answer["baseline"], answer["forecast"]
    added = f"{forecast['median'] - baseline['median']:+.3g}"
    width = ""
    if "width" in baseline:
        width = f", {baseline['width']:.3g} wide"
        added += f", and {forecast['width'] - baseline['width']:+.3g} to the width"
    yield f"if no day had moved: {price(baseline['median'])}{width}; the days added {added}"
    for layer, reach in enumerate(answer.get("reach", ())):
        traces = sum(day["layers"][layer]["kept"] >= 0.01 for day in answer["days"]) - 1
        yield f"of what layer {layer + 1} holds, half is left after {_sessions(reach)}, a hundredth after {traces}"


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"


def _agreement_line(answer: dict[str, Any]) -> str:
    equations = "the six equations" if answer["cell"] == "lstm" else f"the equations of the {answer['cell'].upper()}"
    difference, tolerance = answer["agreement"]["difference"], answer["agreement"]["tolerance"]
    return f"{equations} agree with ONNX within {difference:.1e}; at most {tolerance:.1e} is let pass"


def _shown_gates(answer: dict[str, Any]) -> list[str]:
    """Select the mean gates that the table shows of each layer: fewer where there are many layers."""
    names = LETTERS if answer["layers"] <= WIDE_LAYERS else ("forget", "update", "kept")
    return [name for name in names if name in answer["days"][0]["layers"][0]] or ["hidden"]


def _day_table(answer: dict[str, Any], gates: list[str], every: bool) -> Table:
    days, layers = answer["days"], range(1, answer["layers"] + 1)
    contributions = [name for name in ("median", "width") if name in days[0]]
    numbers: dict[int, list[str]] = {}
    for number, note in enumerate(answer["notes"], start=1):
        numbers.setdefault(note["day"], []).append(str(number))
    shown = [day for day in days if every or day["day"] >= len(days) - LAST_DAYS or day["day"] in numbers]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)  # 80 columns
    headings = [f"{LETTERS.get(name, name)}{layer}" for layer in layers for name in gates]
    for name in ("day", "date", "close", "return", *contributions, *headings):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", no_wrap=True)
    decimals = len(price(answer["last_price"]).partition(".")[2]) + 1  # one more than the closes have
    for position, day in enumerate(shown):
        if position and day["day"] > shown[position - 1]["day"] + 1:
            table.add_section()  # days are left out
        table.add_row(
            str(day["day"]), day["date"], price(day["price"]), f"{day['return']:+.1%}",
            *(f"{day[name]:+.{decimals}f}" for name in contributions),
            *(f"{100 * layer[name]:.0f}" for layer in day["layers"] for name in gates),
            " ".join(numbers.get(day["day"], ())),
        )  # fmt: skip
    return table


def _legend(answer: dict[str, Any], gates: list[str]) -> str:
    letters = ", ".join(f"{LETTERS[name]} {name}" for name in gates if name not in ("kept", "hidden"))
    contributions = "median, width" if "width" in answer["days"][0] else "median"
    if not letters:
        return f"{contributions}: what the day added, in price; hidden: mean |h| of each layer, in percent"
    return (
        f"{contributions}: what the day added, in price; of each layer, in percent: mean gates ({letters})\n"
        "and k, what is still there on the last day of what was held on this one"
    )
