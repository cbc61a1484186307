"""The tables of a report hold the numbers of the evaluation, and a dash for one that isn't known."""

from __future__ import annotations

import math

import pytest

from export.evaluation.report.numbers import (
    digits,
    interval,
    listed,
    methods_of,
    number,
    p_value,
    percent,
    quotient,
    share_with_interval,
)
from export.evaluation.report.tables import tables_of
from tests.export.evaluation.report.made_evaluation import made_evaluation, stood_still, without_intervals

SELDOM = "AutoETS and AutoTheta, on the first session of each fold"


def table_of(evaluation, title):
    """The one of this title: first column → the others."""
    [table] = [table for table in tables_of(evaluation) if table.title == title]
    assert all(len(row) == len(table.columns) for row in table.rows)
    return {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}


def test_the_slow_methods_stand_beside_all_others_on_the_cases_they_forecast():
    evaluation = made_evaluation()
    one, all_steps = (methods_of(evaluation, "first days of folds", step) for step in (1, 0))
    one["auto_ets"]["rel_mae"], one["auto_ets"]["pinball"], one["ewma"]["pinball"] = 1.23456, 0.009, 0.008
    all_steps["auto_theta"]["rel_mae"], all_steps["auto_theta"]["pinball"] = 0.98765, 0.006
    all_steps["ewma"]["pinball"] = 0.008
    rows = table_of(evaluation, SELDOM)
    assert list(rows) == [
        "Efemera", "Naive", "Drift", "Constant quantiles", "EWMA", "GARCH-t", "AutoETS", "AutoTheta"
    ]  # fmt: skip
    assert rows["AutoETS"]["Pinball ÷ EWMA, one session ahead"] == "1.1250"
    assert rows["AutoETS"]["Error ÷ naive, one session ahead"] == "1.2346"
    assert rows["AutoTheta"]["Pinball ÷ EWMA, all steps"] == "0.7500"
    assert rows["AutoTheta"]["Error ÷ naive, all steps"] == "0.9877"
    assert rows["Naive"]["Pinball ÷ EWMA, one session ahead"] == "–"


def test_every_interval_has_its_coverage_and_its_winkler_score():
    evaluation = made_evaluation()
    ewma = methods_of(evaluation, "all", 0)["ewma"]
    ewma["coverage"]["50"] = {"share": 0.4321, "low": 0.4123, "high": 0.4523}
    ewma["winkler"]["95"] = 0.0123456
    assert table_of(evaluation, "Coverage, all steps")["EWMA"]["Within 50%"] == "43.2% [41.2, 45.2]"
    assert table_of(evaluation, "The distribution, all steps")["EWMA"]["Winkler 95%"] == "0.01235"


def test_each_series_has_a_row_with_its_own_numbers():
    evaluation = made_evaluation()
    [line] = [line for line in evaluation["scores"] if line["part"] == "series VALE3"]
    line["cases"] = 1234
    line["methods"]["efemera"]["pinball"], line["methods"]["ewma"]["pinball"] = 0.009, 0.008
    rows = table_of(evaluation, "By series, one session ahead")
    assert list(rows) == ["PETR4", "VALE3", "ITUB4"]
    assert (rows["VALE3"]["Cases"], rows["VALE3"]["Pinball ÷ EWMA"]) == ("1,234", "1.125")


def test_a_comparison_stands_with_its_interval_and_a_p_value_that_is_never_0():
    evaluation = made_evaluation()
    for line in evaluation["comparisons"]:
        if (line["against"], line["measure"], line["step"]) == ("naive", "absolute error", 1):
            line |= {"ratio": 0.9876, "low": 0.97654, "high": 0.99876, "statistic": -6.934, "p_value": 2e-9}
    [table] = [table for table in tables_of(evaluation) if table.title == "Efemera against each baseline"]
    assert ["Naive", "absolute error", "1", "0.9876", "0.9765 to 0.9988", "−6.93", "<0.001"] in table.rows


def test_the_naive_forecast_has_no_direction():
    row = table_of(made_evaluation(), "The median, one session ahead")["Naive"]
    assert (row["Direction right"], row["Majority"]) == ("–", "–")


def test_no_cell_says_nan_where_nothing_can_be_told():
    evaluation = without_intervals(stood_still(made_evaluation()))
    cells = [cell for table in tables_of(evaluation) for row in table.rows for cell in row]
    assert cells.count("–") > 100
    assert not any("nan" in cell.lower() or "inf" in cell.lower() for cell in cells)


@pytest.mark.parametrize(
    ("write", "arguments", "expected"),
    [
        (number, (-1.23456, 4), "−1.2346"),
        (number, (None, 4), "–"),
        (number, (math.inf, 4), "–"),
        (digits, (0.0123456,), "0.01235"),
        (digits, (math.nan,), "–"),
        (percent, (0.98765,), "98.8%"),
        (percent, (math.nan,), "–"),
        (interval, (0.98, 1.0, 3), "0.980 to 1.000"),
        (interval, (math.nan, 1.0, 3), "–"),
        (share_with_interval, ({"share": 0.8, "low": 0.75, "high": 0.85},), "80.0% [75.0, 85.0]"),
        (share_with_interval, ({"share": 0.8, "low": math.nan, "high": math.nan},), "80.0%"),
        (share_with_interval, ({"share": None, "low": None, "high": None},), "–"),
        (p_value, (0.0009,), "<0.001"),
        (p_value, (0.0012,), "0.001"),
        (p_value, (math.nan,), "–"),
        (listed, (["one"],), "one"),
        (listed, (["one", "two", "three"],), "one, two and three"),
    ],
)
def test_numbers_as_they_are_written(write, arguments, expected):
    assert write(*arguments) == expected


@pytest.mark.parametrize(("value", "reference"), [(1.0, 0.0), (0.0, 0.0), (None, 2.0), (1.0, math.nan)])
def test_a_ratio_to_nothing_is_not_known(value, reference):
    assert math.isnan(quotient(value, reference))
