"""The laboratory's report: one page that holds everything, in one language or two."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from export.lab.experiment import VERDICTS, Setup
from export.lab.laboratory import Done
from export.lab.language import Language
from export.lab.style import png_of

TEMPLATE = Path(__file__).with_name("report.html.jinja")
KINDS = dict(zip(VERDICTS, ("holds", "part", "fails", "open"), strict=True))


def page_of(done: Sequence[Done], setup: Setup, languages: Sequence[Language]) -> str:
    """The page; with two languages it switches between them without a script, the first one shown first."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        parts=[_part(language, done, setup) for language in languages], both=len(languages) > 1
    )


def _part(language: Language, done: Sequence[Done], setup: Setup) -> dict[str, Any]:
    """What the page says in one language."""
    holding = sum(one.verdict == "holds" for one in done)
    prices = setup.prices
    data = language(
        f"{language.count(len(prices))} closes of {language.count(len(prices.ids))} series "
        f"({'; '.join(prices.sources)}), SHA-256 ",
        f"{language.count(len(prices))} fechamentos de {language.count(len(prices.ids))} séries "
        f"({'; '.join(prices.sources)}), SHA-256 ",
    )
    return {
        "code": language.code,
        "name": language("English", "Português"),
        "kicker": language("Efemera · laboratory", "Efemera · laboratório"),
        "title": language(
            f"What the guide says of RNN, GRU and LSTM, measured: {holding} of {len(done)} claims hold as they stand.",
            f"O que o guia diz de RNN, GRU e LSTM, medido: {holding} de {len(done)} afirmações se confirmam por "
            f"inteiro.",
        ),
        "claim": language("The guide", "O guia"),
        "found": language("Measured", "Medido"),
        "how": language("How it was measured", "Como foi medido"),
        "experiments": [_shown(one, language) for one in done],
        "switch": language("Language", "Idioma"),
        "data": data,
        "sha": prices.digest(),
        "again": language("The same again: ", "O mesmo de novo: "),
        "command": " ".join(
            ["efemera lab", *(one.name for one in done), f"--seed {setup.seed}", *(["--fast"] if setup.fast else [])]
        ),
        "fast": language(
            "A fast run: small sizes, few steps and one seed, so its numbers are rough.",
            "Execução rápida: tamanhos pequenos, poucos passos e uma só semente; os números são aproximados.",
        )
        if setup.fast
        else "",
        "footer": language("This is no investment advice.", "Isto não é recomendação de investimento."),
    }


def _shown(one: Done, language: Language) -> dict[str, Any]:
    return {
        "id": f"{one.name}-{language.code}",
        "words": one.experiment.tell(one.numbers, language),
        "verdict": language(*VERDICTS[one.verdict]),
        "kind": KINDS[one.verdict],
        "png": _picture(one, language),
    }


def _picture(one: Done, language: Language) -> str:
    return base64.b64encode(png_of(lambda: one.experiment.draw(one.numbers, language))).decode()
