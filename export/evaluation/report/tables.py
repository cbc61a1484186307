"""Tables of the report: scores, coverage, comparisons, single series."""

from __future__ import annotations

from typing import Any, NamedTuple

from export.evaluation.report.numbers import (
    LABELS,
    compared,
    digits,
    interval,
    methods_of,
    number,
    p_value,
    percent,
    quotient,
    share_with_interval,
)

FIRST_DAYS = "first days of folds"  # the part that AutoETS and AutoTheta forecast too
WHEN = ((1, "one session ahead"), (0, "all steps"))


class Table(NamedTuple):
    """A table of texts; the first column is to the left, numbers to the right."""

    title: str
    note: str
    columns: list[str]
    rows: list[list[str]]


def tables_of(evaluation: dict[str, Any]) -> list[Table]:
    """Build the tables in the order of the page: pooled, by baseline, with the slow methods, by series."""
    pooled = [table(evaluation, step, when) for step, when in WHEN for table in (_median, _distribution, _coverage)]
    return [*pooled, _comparisons(evaluation), *_first_days(evaluation), _by_series(evaluation)]


def _median(evaluation: dict[str, Any], step: int, when: str) -> Table:
    return Table(
        f"The median, {when}",
        "Errors below 1 are better than “tomorrow equals today” (Theil’s U, error) or than the usual daily "
        "change of the series (MASE, RMSSE). R² is of returns, and 0 is a forecast of no change.",
        ["Method", "Error ÷ naive", "Theil’s U", "MASE", "RMSSE", "R²", "Direction right", "Majority"],
        [
            [
                LABELS[name],
                *(number(scores[key], 4) for key in ("rel_mae", "theils_u", "mase", "rmsse", "r2")),
                share_with_interval(scores["direction"]),
                percent(scores["direction"]["majority"]),
            ]
            for name, scores in methods_of(evaluation, "all", step).items()
        ],
    )


def _with_quantiles(evaluation: dict[str, Any], step: int) -> dict[str, dict[str, Any]]:
    """Look up the methods that forecast a distribution."""
    return {name: scores for name, scores in methods_of(evaluation, "all", step).items() if "pinball" in scores}


def _distribution(evaluation: dict[str, Any], step: int, when: str) -> Table:
    scored = _with_quantiles(evaluation, step)
    return Table(
        f"The distribution, {when}",
        "Losses: lower is better.",
        [
            "Method",
            "Pinball",
            "÷ EWMA",
            "WQL",
            "CRPS",
            *(f"Winkler {level}%" for level in scored["efemera"]["winkler"]),
        ],
        [
            [
                LABELS[name],
                digits(scores["pinball"]),
                number(quotient(scores["pinball"], scored["ewma"]["pinball"]), 4),
                *(digits(scores[key]) for key in ("wql", "crps")),
                *map(digits, scores["winkler"].values()),
            ]
            for name, scores in scored.items()
        ],
    )


def _coverage(evaluation: dict[str, Any], step: int, when: str) -> Table:
    scored = _with_quantiles(evaluation, step)
    levels = list(scored["efemera"]["coverage"])
    return Table(
        f"Coverage, {when}",
        "Nearer to its promise is better; in brackets the 95% interval over dates.",
        ["Method", *(f"Within {level}%" for level in levels)],
        [
            [LABELS[name], *(share_with_interval(scores["coverage"][level]) for level in levels)]
            for name, scores in scored.items()
        ],
    )


def _comparisons(evaluation: dict[str, Any]) -> Table:
    rows = [
        [
            LABELS[name],
            measure,
            ahead,
            number(line["ratio"], 4),
            interval(line["low"], line["high"], 4),
            number(line["statistic"], 2),
            p_value(line["p_value"]),
        ]
        for step, ahead in ((1, "1"), (0, "all"))
        for measure in ("pinball", "absolute error")
        for name, line in compared(evaluation, measure, step).items()
    ]
    return Table(
        "Efemera against each baseline",
        "A ratio below 1 is in Efemera’s favour; an interval around 1 or a large p-value is no proven difference.",
        ["Against", "Measure", "Sessions ahead", "Ratio", "95% interval", "Diebold-Mariano", "p-value"],
        rows,
    )


def _first_days(evaluation: dict[str, Any]) -> list[Table]:
    cases = next((line["cases"] for line in evaluation["scores"] if line["part"] == FIRST_DAYS), None)
    if cases is None:
        return []
    scores = [methods_of(evaluation, FIRST_DAYS, step) for step, _ in WHEN]
    return [
        Table(
            "AutoETS and AutoTheta, on the first session of each fold",
            f"Fitting these two takes too long for every cutoff: here every method has the same {cases:,} cases, and "
            "numbers of so few move by chance more than those above.",
            ["Method"]
            + [f"Pinball ÷ EWMA, {when}" for _, when in WHEN]
            + [f"Error ÷ naive, {when}" for _, when in WHEN],
            [
                [
                    LABELS[name],
                    *(number(quotient(score[name].get("pinball"), score["ewma"]["pinball"]), 4) for score in scores),
                    *(number(score[name]["rel_mae"], 4) for score in scores),
                ]
                for name in scores[0]
            ],
        )
    ]


def _by_series(evaluation: dict[str, Any]) -> Table:
    rows, levels = [], list(methods_of(evaluation, "all", 1)["efemera"]["coverage"])
    for line in evaluation["scores"]:
        if line["part"].startswith("series ") and line["step"] == 1:
            ours, ewma = line["methods"]["efemera"], line["methods"]["ewma"]
            rows.append(
                [
                    line["part"].removeprefix("series "),
                    f"{line['cases']:,}",
                    number(ours["rel_mae"], 3),
                    number(quotient(ours["pinball"], ewma["pinball"]), 3),
                    *(percent(ours["coverage"][level]["share"]) for level in levels),
                ]
            )
    return Table(
        "By series, one session ahead",
        "Efemera alone. A single series says little: its numbers move by chance more than the pooled ones.",
        ["Series", "Cases", "Error ÷ naive", "Pinball ÷ EWMA", *(f"Within {level}%" for level in levels)],
        rows,
    )
