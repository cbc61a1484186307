"""Each number of the scores is its measure, called on the rows of its part and the column of its step alone."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from export.evaluation import metrics
from export.evaluation.cases import Forecast
from export.evaluation.scores import (
    Scales,
    comparisons_of,
    intervals_of,
    months_of,
    reliability_of,
    scores_of,
    tercile_of,
)
from export.evaluation.significance import diebold_mariano, ratio_interval
from tests.export.evaluation import made

LEVELS = made.LEVELS
CASES = made.made_cases(190, 171, 150)
FORECASTS = {
    "efemera": made.made_forecast(CASES),
    "naive": Forecast(np.zeros_like(CASES.returns)),
    "drift": made.made_point_forecast(CASES),
    "ewma": made.made_forecast(CASES, seed=3),
}
SCALES = Scales(np.array([0.01, 0.02, 0.03])[CASES.owners], np.array([2e-4, 5e-4, 1e-3])[CASES.owners])
STEPS = {0: slice(None), 1: slice(0, 1), 2: slice(1, 2), 3: slice(2, 3)}


def rows_of(part: str) -> list[int]:
    """The cases of a part, found by plain sorting."""
    kind, _, name = part.partition(" ")
    if kind == "all":
        return list(range(len(CASES)))
    series = [[case for case in range(len(CASES)) if CASES.owners[case] == owner] for owner in range(3)]
    if kind == "series":
        return series["ABC".index(name)]
    third = ("low", "middle", "high").index(name)
    calm_first = [sorted(own, key=lambda case: CASES.trailing[case]) for own in series]
    return sorted(case for own in calm_first for rank, case in enumerate(own) if rank * 3 // len(own) == third)


@pytest.fixture(scope="module")
def lines():
    """(part, step) → line."""
    found = scores_of(CASES, FORECASTS, SCALES, LEVELS)
    named = {(line["part"], line["step"]): line for line in found}
    assert len(named) == len(found)
    return named


NAMES = ("all", "volatility low", "volatility middle", "volatility high", "series A", "series B", "series C")
PARTS = [(part, step) for part in NAMES for step in STEPS]


def test_there_is_a_line_for_each_step_of_each_part(lines):
    assert list(lines) == PARTS
    for (part, _), line in lines.items():
        assert line["cases"] == len(rows_of(part))
        assert list(line["methods"]) == list(FORECASTS)


@pytest.mark.parametrize("name", FORECASTS)
@pytest.mark.parametrize(("part", "step"), PARTS)
def test_the_errors_of_the_median_are_the_measures_of_these_rows(lines, part, step, name):
    rows = rows_of(part)
    actual, median = CASES.returns[rows][:, STEPS[step]], FORECASTS[name].median[rows][:, STEPS[step]]
    last = np.zeros_like(actual)
    sign = metrics.direction(actual, median)
    expected = {
        "rel_mae": metrics.relative_mae(actual, median, last),
        "theils_u": metrics.theils_u(actual, median, last),
        "mase": metrics.mase(actual, median, SCALES.absolute[rows]),
        "rmsse": metrics.rmsse(actual, median, SCALES.squared[rows]),
        "r2": metrics.r2_of_returns(actual, median, last),
    }
    found = lines[part, step]["methods"][name]
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-9)
    told = {"share": sign.share, "low": sign.low, "high": sign.high, "majority": sign.majority}
    assert found["direction"] == pytest.approx(told, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", ["efemera", "ewma"])
@pytest.mark.parametrize(("part", "step"), PARTS)
def test_the_losses_of_the_distribution_are_the_measures_of_these_rows(lines, part, step, name):
    rows = rows_of(part)
    actual, quantiles = CASES.returns[rows][:, STEPS[step]], FORECASTS[name].quantiles[rows][:, STEPS[step]]
    found = lines[part, step]["methods"][name]
    assert found["pinball"] == pytest.approx(metrics.mean_pinball(actual, quantiles, LEVELS), rel=1e-9)
    assert found["wql"] == pytest.approx(metrics.weighted_quantile_loss(actual, quantiles, LEVELS), rel=1e-9)
    assert found["crps"] == pytest.approx(metrics.crps(actual, quantiles, LEVELS), rel=1e-9)
    for level, low, high in (("95", 0, 6), ("80", 1, 5), ("50", 2, 4)):
        bounds = quantiles[..., low], quantiles[..., high]
        winkler = metrics.winkler(actual, *bounds, float(level) / 100)
        assert found["winkler"][level] == pytest.approx(winkler, rel=1e-9)
        inside = (bounds[0] <= actual) & (actual <= bounds[1])  # (rows, steps)
        low_end, high_end = ratio_interval(inside.mean(axis=1), np.ones(len(rows)), CASES.cutoffs[rows], 1000, 0, 20)
        told = {"share": inside.mean(), "low": low_end, "high": high_end}
        assert found["coverage"][level] == pytest.approx(told, rel=1e-9, nan_ok=True)
        assert low_end < inside.mean() < high_end


def test_only_methods_with_quantiles_have_losses_of_a_distribution(lines):
    for line in lines.values():
        for name, found in line["methods"].items():
            assert ("pinball" in found) == ("coverage" in found) == (name in ("efemera", "ewma"))


@pytest.mark.parametrize("edge", [0, 2])
def test_a_close_on_the_edge_of_an_interval_is_inside(edge):
    quantiles = CASES.returns[..., None] + 0.001 * (np.arange(3) - edge)
    line = scores_of(CASES, {"efemera": Forecast(quantiles[..., 1], quantiles)}, SCALES, (0.1, 0.5, 0.9))[1]
    assert line["methods"]["efemera"]["coverage"]["80"]["share"] == 1.0


@pytest.fixture(scope="module")
def tests():
    """(against, measure, step) → line."""
    found = comparisons_of(CASES, FORECASTS, LEVELS)
    named = {(line["against"], line["measure"], line["step"]): line for line in found}
    assert len(named) == len(found)
    return named


def losses_of(name: str, measure: str, step: int):
    """Compute the loss of each case."""
    actual, forecast = CASES.returns[:, STEPS[step]], FORECASTS[name]
    if measure == "absolute error":
        return np.abs(actual - forecast.median[:, STEPS[step]]).mean(axis=1)
    over = actual[..., None] - forecast.quantiles[:, STEPS[step]]
    return np.where(over > 0, over * LEVELS, -over * (1 - np.array(LEVELS))).mean(axis=(1, 2))


COMPARED = [("naive", "absolute error"), ("drift", "absolute error"), ("ewma", "pinball"), ("ewma", "absolute error")]


def test_ours_is_compared_with_each_other_method_by_what_both_tell(tests):
    assert list(tests) == [(*pair, step) for pair in COMPARED for step in STEPS]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("against", "measure"), COMPARED)
def test_a_comparison_is_the_ratio_its_interval_over_dates_and_the_test_of_daily_means(tests, against, measure, step):
    ours, theirs = losses_of("efemera", measure, step), losses_of(against, measure, step)
    found = tests[against, measure, step]
    assert found["ratio"] == pytest.approx(ours.mean() / theirs.mean(), rel=1e-9)
    interval = ratio_interval(ours, theirs, CASES.cutoffs, draws=1000, seed=0, block=20)
    assert (found["low"], found["high"]) == pytest.approx(interval, rel=1e-9)
    dates = sorted(set(CASES.cutoffs.tolist()))
    daily = [[losses[CASES.cutoffs == date].mean() for date in dates] for losses in (ours, theirs)]
    test = diebold_mariano(np.array(daily[0]), np.array(daily[1]), {0: 3}.get(step, step))
    assert found["statistic"] == pytest.approx(test.statistic, rel=1e-9)
    assert found["p_value"] == pytest.approx(test.p_value, rel=1e-9)


def test_a_better_forecast_has_a_ratio_below_1_and_a_negative_statistic():
    good = Forecast(0.7 * CASES.returns)
    [line] = [line for line in comparisons_of(CASES, {"efemera": good, "naive": FORECASTS["naive"]}, LEVELS)
              if line["step"] == 1]  # fmt: skip
    assert line["ratio"] == pytest.approx(0.3)
    assert line["low"] == pytest.approx(0.3)
    assert line["statistic"] < -5
    assert line["p_value"] < 1e-6


@pytest.mark.parametrize(("count", "sizes"), [(1, [1, 0, 0]), (2, [1, 1, 0]), (9, [3, 3, 3]), (10, [4, 3, 3]),
                                              (11, [4, 4, 3])])  # fmt: skip
def test_terciles_are_thirds_of_a_series(count, sizes):
    assert np.bincount(tercile_of(made.made_cases(count)), minlength=3).tolist() == sizes


def test_terciles_rank_a_case_among_its_own_series_by_trailing_volatility():
    cases = made.made_cases(6, 3)
    wild = np.array([0.05, 0.01, 0.06, 0.03, 0.02, 0.04, 0.9, 0.7, 0.8])
    found = tercile_of(dataclasses.replace(cases, trailing=wild))
    assert found.tolist() == [2, 0, 2, 1, 0, 1, 2, 0, 1]


def test_reliability_is_the_share_of_next_closes_at_or_below_each_quantile():
    cases = made.hand_cases(["2020-01-30"] * 5, [-0.03, -0.01, 0.0, 0.02, 0.05], [0.01] * 5)
    forecasts = {"efemera": made.same_quantiles(5, -0.02, 0.0, 0.03), "naive": Forecast(np.zeros((5, 1)))}
    found = reliability_of(cases, forecasts, (0.1, 0.5, 0.9))
    assert found == {"efemera": [[0.1, 0.2], [0.5, 0.6], [0.9, 0.8]]}


def test_reliability_is_of_one_step_ahead():
    far = made.made_forecast(CASES)
    far.quantiles[:, 1:] = 9.0
    expected = [[level, (CASES.returns[:, 0] <= far.quantiles[:, 0, at]).mean()] for at, level in enumerate(LEVELS)]
    assert reliability_of(CASES, {"efemera": far}, LEVELS)["efemera"] == expected


def test_months_tell_the_coverage_and_volatility_of_their_own_cutoffs():
    cutoffs = ["2020-01-30", "2020-01-31", "2020-02-03", "2020-04-01", "2020-04-02", "2020-04-30"]
    cases = made.hand_cases(cutoffs, [0.0, 0.5, -0.5, 0.1, -0.1, 0.2], [0.01, 0.03, 0.05, 0.01, 0.01, 0.04])
    found = months_of(cases, made.same_quantiles(6, -0.2, -0.1, 0.0, 0.1, 0.2), (0.05, 0.25, 0.5, 0.75, 0.95))
    expected = [
        {"month": "2020-01", "cases": 2, "coverage": {"90": 0.5, "50": 0.5}, "volatility": pytest.approx(0.02)},
        {"month": "2020-02", "cases": 1, "coverage": {"90": 0.0, "50": 0.0}, "volatility": pytest.approx(0.05)},
        {
            "month": "2020-04",
            "cases": 3,
            "coverage": {"90": 1.0, "50": pytest.approx(2 / 3)},
            "volatility": pytest.approx(0.02),
        },
    ]
    assert found == expected


def test_months_pool_all_series_and_look_one_step_ahead():
    ours = made.made_forecast(CASES)
    inside = (ours.quantiles[:, 0, 1] <= CASES.returns[:, 0]) & (CASES.returns[:, 0] <= ours.quantiles[:, 0, 5])
    january = CASES.cutoffs < made.DAY + 31
    found = months_of(CASES, ours, LEVELS)
    assert sum(line["cases"] for line in found) == len(CASES)
    assert found[0]["month"] == "2020-01"
    assert found[0]["cases"] == january.sum()
    assert found[0]["coverage"]["80"] == pytest.approx(inside[january].mean())


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((0.1, 0.5, 0.9), {"80": (0, 2)}),
        (LEVELS, {"95": (0, 6), "80": (1, 5), "50": (2, 4)}),
        ((0.005, 0.165, 0.5, 0.835, 0.995), {"99": (0, 4), "67": (1, 3)}),
        ((0.0125, 0.5, 0.9875), {"97.5": (0, 2)}),
        ((1 / 3, 0.5, 2 / 3), {"33.3333": (0, 2)}),
        ((0.5,), {}),
    ],
)
def test_intervals_are_named_by_percent_widest_first(levels, expected):
    found = intervals_of(levels)
    assert found == expected
    assert list(found) == list(expected)


def test_too_few_dates_leave_the_intervals_untold_and_the_shares_told():
    few = made.made_cases(99, 99)
    scales = Scales(np.full(len(few), 0.01), np.full(len(few), 1e-4))
    forecasts = {"efemera": made.made_forecast(few), "naive": Forecast(np.zeros_like(few.returns))}
    cover = scores_of(few, forecasts, scales, LEVELS)[0]["methods"]["efemera"]["coverage"]["80"]
    assert 0 < cover["share"] < 1
    assert math.isnan(cover["low"])
    assert math.isnan(cover["high"])
    assert math.isnan(comparisons_of(few, forecasts, LEVELS)[0]["low"])
