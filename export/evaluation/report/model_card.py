"""Model card, `models/README.md`: the files, the model, and its evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from export.conversion.parity import tolerance_for
from export.evaluation.report.numbers import (
    LABELS,
    UNKNOWN,
    compared,
    methods_of,
    number,
    quotient,
    share_with_interval,
    steps_of,
)
from export.evaluation.report.page import VERDICTS
from export.evaluation.scores import TERCILES

TEMPLATE = Path(__file__).with_name("card.md.jinja")
RIVALS = ("ewma", "garch", "constant")
LEVELS = ("50", "80", "95")


def model_card(evaluation: dict[str, Any], manifest: dict[str, Any], notes: str = "") -> str:
    """Render the card as Markdown; `notes`, Markdown too, go before the words on how it was judged."""
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    escaped = _escaped(evaluation)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        evaluation=escaped,
        manifest=manifest,
        training=_escaped(manifest["training_data"]),
        data=escaped["data"],
        settings=escaped["settings"],
        sentence=VERDICTS[escaped["verdict"]],
        rows=_rows(evaluation),
        rivals=[name for name in RIVALS if name in methods_of(evaluation, "all", 1)],
        labels=LABELS,
        steps=[_step(evaluation, step) for step in steps_of(evaluation)],
        thirds=_thirds(evaluation),
        notes=notes.strip(),
        tolerance=tolerance_for(manifest["hidden_size"]),
    ) + "\n"  # fmt: skip


def _rows(evaluation: dict[str, Any]) -> list[list[str]]:
    methods = methods_of(evaluation, "all", 1)
    rows = []
    for name, scores in methods.items():
        row = [LABELS[name], number(scores["rel_mae"], 4)]
        if "pinball" in scores:
            row += [number(scores["pinball"], 6), number(quotient(scores["pinball"], methods["ewma"]["pinball"]), 4)]
            row += [_share(scores["coverage"].get(level)) for level in LEVELS]
        rows.append(row + [""] * (7 - len(row)))
    return rows


def _step(evaluation: dict[str, Any], step: int) -> list[str]:
    tests, ours = compared(evaluation, "pinball", step), methods_of(evaluation, "all", step)["efemera"]
    ratios = [f"{tests[name]['ratio']:.4f} [{tests[name]['low']:.4f}, {tests[name]['high']:.4f}]" for name in RIVALS
              if name in tests]  # fmt: skip
    return [
        str(step),
        f"{ours['rel_mae']:.4f}",
        *ratios,
        *(_share(ours["coverage"].get(level)) for level in LEVELS[1:]),
    ]


def _thirds(evaluation: dict[str, Any]) -> str:
    thirds = []
    for name in TERCILES:
        cover = methods_of(evaluation, f"volatility {name}", 1).get("efemera", {}).get("coverage", {}).get("80")
        thirds.append(f"{name} {_share(cover)}")
    return ", ".join(thirds)


def _share(cover: dict[str, float] | None) -> str:
    return UNKNOWN if cover is None else share_with_interval(cover)


def _escaped(value: Any) -> Any:
    """Turn texts into one line that Markdown shows as it stands: names come from users."""
    if isinstance(value, dict):
        return {name: _escaped(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    if isinstance(value, str):
        for mark in "\\`*_{}[]<>#|&~":
            value = value.replace(mark, f"\\{mark}")
        return " ".join(value.split())
    return value
