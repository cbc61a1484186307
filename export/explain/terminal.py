"""An explanation on a terminal: the forecast, what agrees with what, the notes in words and a table of days."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table

from export.screen import out as screen
from export.screen import price

LAST = 12  # days that the table shows without --all, beside the striking ones
WIDE = 2  # layers of which all gates fit into 80 columns
LETTERS = {"forget": "f", "input": "i", "output": "o", "reset": "r", "update": "z", "kept": "k"}  # the first as usual


def show(name: str, answer: dict[str, Any], steps: list[dict[str, Any]], every: bool) -> None:
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
    for line in (*_memory(answer), _agreement(answer)):
        screen.print(line)
    for number, note in enumerate(answer["notes"], start=1):
        screen.print(f"{number}  {note['date']}: {note['text']}")
    screen.print()
    means = _means(answer)
    screen.print(_table(answer, means, every))
    screen.print(_legend(answer, means))


def _memory(answer: dict[str, Any]) -> Iterator[str]:
    baseline, forecast = answer["baseline"], answer["forecast"]
    added = f"{forecast['median'] - baseline['median']:+.3g}"
    wide = ""
    if "width" in baseline:
        wide = f", {baseline['width']:.3g} wide"
        added += f", and {forecast['width'] - baseline['width']:+.3g} to the width"
    yield f"if no day had moved: {price(baseline['median'])}{wide}; the days added {added}"
    for layer, reach in enumerate(answer.get("reach", ())):
        traces = sum(day["layers"][layer]["kept"] >= 0.01 for day in answer["days"]) - 1
        yield f"of what layer {layer + 1} holds, half is left after {_sessions(reach)}, a hundredth after {traces}"


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"


def _agreement(answer: dict[str, Any]) -> str:
    equations = "the six equations" if answer["cell"] == "lstm" else f"the equations of the {answer['cell'].upper()}"
    found = answer["agreement"]
    return f"{equations} agree with ONNX within {found['difference']:.1e}; at most {found['tolerance']:.1e} is let pass"


def _means(answer: dict[str, Any]) -> list[str]:
    """What the table shows of each layer: of many, less."""
    names = LETTERS if answer["layers"] <= WIDE else ("forget", "update", "kept")
    return [name for name in names if name in answer["days"][0]["layers"][0]] or ["hidden"]


def _table(answer: dict[str, Any], means: list[str], every: bool) -> Table:
    days, layers = answer["days"], range(1, answer["layers"] + 1)
    added = [name for name in ("median", "width") if name in days[0]]
    numbers: dict[int, list[str]] = {}
    for number, note in enumerate(answer["notes"], start=1):
        numbers.setdefault(note["day"], []).append(str(number))
    shown = [day for day in days if every or day["day"] >= len(days) - LAST or day["day"] in numbers]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)  # 80 columns
    gates = [f"{LETTERS.get(name, name)}{layer}" for layer in layers for name in means]
    for name in ("day", "date", "close", "return", *added, *gates):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", no_wrap=True)
    decimals = len(price(answer["last_price"]).partition(".")[2]) + 1  # one more than the closes have
    for position, day in enumerate(shown):
        if position and day["day"] > shown[position - 1]["day"] + 1:
            table.add_section()  # days are left out
        table.add_row(
            str(day["day"]), day["date"], price(day["price"]), f"{day['return']:+.1%}",
            *(f"{day[name]:+.{decimals}f}" for name in added),
            *(f"{100 * layer[name]:.0f}" for layer in day["layers"] for name in means),
            " ".join(numbers.get(day["day"], ())),
        )  # fmt: skip
    return table


def _legend(answer: dict[str, Any], means: list[str]) -> str:
    told = ", ".join(f"{LETTERS[name]} {name}" for name in means if name not in ("kept", "hidden"))
    added = "median, width" if "width" in answer["days"][0] else "median"
    if not told:
        return f"{added}: what the day added, in price; hidden: mean |h| of each layer, in percent"
    return (
        f"{added}: what the day added, in price; of each layer, in percent: mean gates ({told})\n"
        "and k, what is still there on the last day of what was held on this one"
    )
