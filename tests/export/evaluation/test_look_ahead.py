"""A method that knows anything of the future is refused, however it came by it; an honest one never is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from export.data.prices import make_prices
from export.errors import GateRefused
from export.evaluation.cases import Fold, Forecast, cases_of, folds_of
from export.evaluation.look_ahead import refuse_look_ahead
from export.evaluation.methods.efemera import ExportedModel
from export.evaluation.methods.simple import constant, drift, ewma, naive
from tests.export.conftest import SMALL
from tests.export.evaluation.made import DAY, market

LEVELS = (0.1, 0.5, 0.9)
HORIZON = SMALL.horizon
PRICES = market(600, 560, 400)
CASES = cases_of(PRICES, SMALL.window, HORIZON, DAY)


def check(forecast, cases=CASES, prices=PRICES):
    refuse_look_ahead("the method", forecast, prices, cases)


def said(column, cases):
    """One number a case, at every step."""
    return Forecast(np.repeat(np.asarray(column, np.float64)[:, None], cases.horizon, axis=1))


def spread(sigma, cases):
    """A median of 0, and quantiles a daily volatility (cases,) apart."""
    median = np.zeros((len(cases), cases.horizon))
    return Forecast(median, median[..., None] + sigma[:, None, None] * np.array([-1.3, 0.0, 1.3]))


def next_close(prices, cases):
    return said(np.log(prices.y[cases.rows + 1] / prices.y[cases.rows]), cases)


def last_step(prices, cases):
    median = np.zeros((len(cases), cases.horizon))
    median[:, -1] = np.log(prices.y[cases.rows + cases.horizon] / prices.y[cases.rows])
    return Forecast(median)


def sign_of_the_next_return(prices, cases):
    return said(0.001 * np.sign(prices.y[cases.rows + 1] - prices.y[cases.rows]), cases)


def a_trillionth_of_the_next_return(prices, cases):
    return said(1e-12 * np.log(prices.y[cases.rows + 1] / prices.y[cases.rows]), cases)


def centred_moving_average(prices, cases):
    around = np.log(prices.y)[cases.rows[:, None] + np.arange(-5, 6)]  # (cases, 11)
    return said(around.mean(axis=1) - np.log(prices.y[cases.rows]), cases)


def volatility_of_the_whole_table(prices, cases):
    return spread(np.full(len(cases), np.diff(np.log(prices.y)).std()), cases)


def volatility_of_the_whole_series(prices, cases):
    whole = np.array([np.diff(np.log(prices.series(name)[1])).std() for name in prices.ids])
    return spread(whole[cases.owners], cases)


def volatility_of_the_days_to_come(prices, cases):
    ahead = np.diff(np.log(prices.y)[cases.rows[:, None] + np.arange(cases.horizon + 1)], axis=1)
    return spread(ahead.std(axis=1), cases)


def quantiles_of_all_rows(prices, cases):
    everywhere = np.quantile(np.diff(np.log(prices.y)), LEVELS)
    return Forecast(np.zeros((len(cases), cases.horizon)), np.tile(everywhere, (len(cases), cases.horizon, 1)))


def scaled_by_the_highest_close_ever(prices, cases):
    return said(prices.y[cases.rows] / prices.y.max(), cases)


def a_fold_known_until_the_end(prices, cases):
    return constant(prices, cases, [Fold(prices.ds.max(), np.arange(len(cases)))], LEVELS)


def folds_a_day_late(prices, cases):
    late = [dataclasses.replace(fold, known_until=fold.known_until + 1) for fold in folds_of(prices, cases, 1)]
    return ewma(prices, cases, late, LEVELS)


def one_series_alone_leaks(prices, cases):
    honest, leaky = naive(prices, cases, [], LEVELS), next_close(prices, cases)
    return Forecast(np.where(cases.owners[:, None] == 1, leaky.median, honest.median))


LEAKS = [
    next_close,
    last_step,
    sign_of_the_next_return,
    a_trillionth_of_the_next_return,
    centred_moving_average,
    volatility_of_the_whole_table,
    volatility_of_the_whole_series,
    volatility_of_the_days_to_come,
    quantiles_of_all_rows,
    scaled_by_the_highest_close_ever,
    a_fold_known_until_the_end,
    folds_a_day_late,
    one_series_alone_leaks,
]


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_planted_leak_is_refused(leak):
    with pytest.raises(GateRefused, match="the method looks ahead: closes after 20.*-.*-.* change what it said"):
        check(leak)


def moving_average(prices, cases):
    past = np.log(prices.y)[cases.rows[:, None] + np.arange(-10, 1)]  # (cases, 11)
    return said(past.mean(axis=1) - past[:, -1], cases)


def volatility_of_the_past(_prices, cases):
    return spread(cases.trailing, cases)


@pytest.mark.parametrize("honest", [moving_average, volatility_of_the_past], ids=lambda honest: honest.__name__)
def test_what_looks_back_alone_passes(honest):
    check(honest)


@pytest.mark.slow
@pytest.mark.parametrize("refit_every", [1, 20, 1000])
@pytest.mark.parametrize("baseline", [naive, drift, constant, ewma], ids=lambda baseline: baseline.__name__)
def test_the_baselines_pass(baseline, refit_every):
    check(lambda prices, cases: baseline(prices, cases, folds_of(prices, cases, refit_every), LEVELS))


def test_an_exported_model_passes(model):
    check(ExportedModel(model).forecast)


def test_an_exported_model_that_is_given_one_close_more_is_refused(model):
    fixed = ExportedModel(model)

    def a_day_late(prices, cases):
        return fixed.forecast(prices, dataclasses.replace(cases, rows=cases.rows + 1))

    with pytest.raises(GateRefused):
        check(a_day_late)


@pytest.mark.parametrize("dates", [1, 2, 3])
def test_a_leak_is_caught_on_few_cutoffs_too(dates):
    few = CASES.take(CASES.cutoffs >= np.unique(CASES.cutoffs)[-dates])
    with pytest.raises(GateRefused):
        check(next_close, few)


def test_a_leak_that_is_in_the_forecasts_of_some_months_alone_is_caught():
    def until_day_400(prices, cases):
        leaky = next_close(prices, cases).median
        return Forecast(np.where(cases.cutoffs[:, None] < DAY + 400, leaky, 0.0))

    with pytest.raises(GateRefused):
        check(until_day_400)


def test_the_future_is_exchanged_whole_and_nothing_else_is_touched():
    digest, asked = PRICES.digest(), []

    def listen(prices, cases):
        asked.append((prices, cases))
        return naive(prices, cases, [], LEVELS)

    check(listen)
    assert PRICES.digest() == digest
    assert len(asked) == 2 * len({str(cases.cutoffs.max()) for _, cases in asked}) == 6
    for (before, cases), (after, same) in zip(asked[::2], asked[1::2], strict=True):
        day = cases.cutoffs.max()
        assert cases is same
        np.testing.assert_array_equal(before.y, PRICES.y)
        np.testing.assert_array_equal(after.y[after.ds <= day], PRICES.y[PRICES.ds <= day])
        assert np.all(after.y[after.ds > day] != PRICES.y[PRICES.ds > day])
        assert np.all(np.isfinite(after.y) & (after.y > 0))
        assert set(cases.owners[cases.cutoffs == day]) == set(CASES.owners[CASES.cutoffs == day])


def test_a_table_that_stands_still_hides_no_leak():
    still = make_prices({"FLAT": (DAY + np.arange(300), np.full(300, 7.0))})
    cases = cases_of(still, SMALL.window, HORIZON, DAY)
    with pytest.raises(GateRefused):
        check(next_close, cases, still)
