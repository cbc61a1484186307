"""Write the report of an evaluation: one page that holds everything, and its pictures beside it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined

from export.evaluation.evaluation_file import write_files
from export.evaluation.report.captions import CAPTIONS
from export.evaluation.report.numbers import LABELS, methods_of, number, percent, quotient
from export.evaluation.report.plots import DRAWERS, Detail, draw_pictures
from export.evaluation.report.tables import FIRST_DAYS, tables_of

PAGE = "report.html"
TEMPLATE = Path(__file__).with_name("page.html.jinja")
VERDICTS = {
    "edge": "The median beats “tomorrow equals today” by more than chance would, and the intervals hold what they "
    "promise.",
    "calibrated": "The intervals hold what they promise; the price itself is forecast no better than by “tomorrow "
    "equals today”.",
    "rejected": "This model is not fit for use: it is worse than simple methods, or its intervals don’t hold what they "
    "promise.",
}


class Picture(NamedTuple):
    """A picture with its words."""

    name: str  # of the file, without ending
    caption: str  # one sentence: what to see
    alt: str  # what is drawn, for who can't see it
    data: str  # the PNG in base64


def write_report(folder: Path, evaluation: dict[str, Any], detail: Detail) -> list[Path]:
    """Write `report.html` and one PNG a picture into `folder`; their paths, the page first.

    Equal input gives equal bytes. Nothing is written before all is drawn, each file is whole or not there, the
    page comes last, and pictures of an earlier report that this one lacks are taken away.
    Raises `InputError` when the folder can't be written.
    """
    drawn = draw_pictures(evaluation, detail)
    files = {f"{name}.png": png for name, png in drawn.items()}
    files[PAGE] = _page(evaluation, detail, drawn).encode()
    stale = [f"{name}.png" for name in DRAWERS.keys() - drawn.keys()]
    *pictures, page = write_files(folder, files, f"--report {folder}", stale)
    return [page, *pictures]


def _page(evaluation: dict[str, Any], detail: Detail, drawn: dict[str, bytes]) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pictures = []
    for name, png in drawn.items():
        caption, alt = CAPTIONS[name](evaluation, detail)
        pictures.append(Picture(name, caption, alt, base64.b64encode(png).decode()))
    everywhere = methods_of(evaluation, "all", 1)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        evaluation=evaluation,
        sentence=VERDICTS[evaluation["verdict"]],
        figures=_key_figures(evaluation),
        pictures=pictures,
        tables=tables_of(evaluation),
        everywhere=[LABELS[name] for name in everywhere],
        seldom=[LABELS[name] for name in methods_of(evaluation, FIRST_DAYS, 1) if name not in everywhere],
    )


def _key_figures(evaluation: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Pick the figures at the top of the page, one session ahead: value, what it is, what it should be."""
    methods = methods_of(evaluation, "all", 1)
    ours, ewma = methods["efemera"], methods["ewma"]
    return [
        *(
            (percent(cover["share"]), f"of closes in the {level}% interval", f"promised: {level}%")
            for level, cover in ours["coverage"].items()
            if level in ("80", "95")
        ),
        (f"{number(quotient(ours['pinball'], ewma['pinball']), 3)} ×", "the pinball loss of EWMA", "better: below 1"),
        (f"{number(ours['rel_mae'], 3)} ×", "the error of “tomorrow equals today”", "honest: about 1"),
    ]
