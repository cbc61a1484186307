"""The model card, `models/README.md`: what the files are, what the model is, and how it was judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from export.conversion.parity import tolerance_for
from export.evaluation.report.numbers import UNKNOWN, number, quotient, share_with_interval
from export.evaluation.report.page import VERDICTS
from export.evaluation.report.plots import METHODS, compared, methods_of, steps_of

TEMPLATE = Path(__file__).with_name("card.md.jinja")
RIVALS = ("ewma", "garch", "constant")
LEVELS = ("50", "80", "95")


def model_card(evaluation: dict[str, Any], manifest: dict[str, Any], notes: str = "") -> str:
    """The page as Markdown; `notes`, Markdown too, go before the words on how it was judged."""
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    told = _plain(evaluation)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        evaluation=told,
        manifest=manifest,
        training=_plain(manifest["training_data"]),
        data=told["data"],
        settings=told["settings"],
        sentence=VERDICTS[told["verdict"]],
        rows=_rows(evaluation),
        rivals=[name for name in RIVALS if name in methods_of(evaluation, "all", 1)],
        labels={name: label for name, (label, *_) in METHODS.items()},
        steps=[_step(evaluation, step) for step in steps_of(evaluation)],
        thirds=_thirds(evaluation),
        notes=notes.strip(),
        tolerance=tolerance_for(manifest["hidden_size"]),
    ) + "\n"  # fmt: skip


def _rows(evaluation: dict[str, Any]) -> list[list[str]]:
    methods = methods_of(evaluation, "all", 1)
    rows = []
    for name, scores in methods.items():
        row = [METHODS[name][0], number(scores["rel_mae"], 4)]
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
    found = []
    for name in ("low", "middle", "high"):
        cover = methods_of(evaluation, f"volatility {name}", 1).get("efemera", {}).get("coverage", {}).get("80")
        found.append(f"{name} {_share(cover)}")
    return ", ".join(found)


def _share(cover: dict[str, float] | None) -> str:
    if cover is None:
        return UNKNOWN
    return share_with_interval(cover)


def _plain(value: Any) -> Any:
    """Texts as one line that Markdown shows as it stands: names come from users."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        for mark in "\\`*_{}[]<>#|&~":
            value = value.replace(mark, f"\\{mark}")
        return " ".join(value.split())
    return value
