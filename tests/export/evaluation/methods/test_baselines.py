"""The simple baselines are what their formulas say, look at nothing they could not know, and need no other series."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.data.prices import make_prices
from export.data.sample import made_market
from export.evaluation.cases import MINIMUM_HISTORY, Forecast, cut_folds
from export.evaluation.methods.simple import constant, drift, ewma, ewma_volatility, naive, stretches_of
from tests.export.evaluation.methods.series import (
    HORIZON,
    LEVELS,
    assert_equal_forecasts,
    assert_ordered,
    cut,
    market,
    poisoned,
)

FITTED = [drift, constant, ewma]


def test_naive_says_that_the_last_price_stays():
    prices = market()
    cases, folds = cut(prices)
    forecast = naive(prices, cases, folds, LEVELS)
    assert forecast.quantiles is None
    assert forecast.median.shape == cases.returns.shape
    assert not forecast.median.any()


def test_drift_is_the_mean_daily_return_up_to_the_fold_times_the_step():
    prices = market()
    cases, folds = cut(prices)
    forecast = drift(prices, cases, folds, LEVELS)
    assert forecast.quantiles is None
    for fold in folds:
        for case in fold.cases:
            days, closes = prices.series(prices.ids[cases.owners[case]])
            daily = np.diff(np.log(closes[days <= fold.known_until]))
            if len(daily) >= MINIMUM_HISTORY - 1:
                np.testing.assert_allclose(forecast.median[case], daily.mean() * np.array([1, 2, 3]), rtol=1e-9)


def test_constant_quantiles_are_those_of_all_past_returns_over_as_many_days():
    prices = market(series=1)
    cases, folds = cut(prices)
    forecast = constant(prices, cases, folds, LEVELS)
    days, closes = prices.series("S0")
    for fold in folds:
        known = closes[days <= fold.known_until]
        for step in range(1, HORIZON + 1):
            past = [np.log(known[row + step] / known[row]) for row in range(len(known) - step)]
            for case in fold.cases:
                np.testing.assert_allclose(forecast.quantiles[case, step - 1], np.quantile(past, LEVELS), rtol=1e-9)
                np.testing.assert_allclose(forecast.median[case, step - 1], np.median(past), rtol=1e-9)


def plain_volatility(closes):
    """The recursion as a loop over days: {row: sigma}."""
    returns = [0.0] + [np.log(closes[row] / closes[row - 1]) for row in range(1, len(closes))]
    variance = sum(r * r for r in returns[1:21]) / 20
    sigma = {20: np.sqrt(variance)}
    for row in range(21, len(closes)):
        variance = 0.94 * variance + 0.06 * returns[row] ** 2
        sigma[row] = np.sqrt(variance)
    return sigma


def test_ewma_quantiles_are_those_of_a_plain_loop():
    prices = market(series=1)
    cases, folds = cut(prices)
    forecast = ewma(prices, cases, folds, LEVELS)
    days, closes = prices.series("S0")
    sigma = plain_volatility(closes)
    for fold in folds:
        known = int((days <= fold.known_until).sum())
        for step in range(1, HORIZON + 1):
            past = [np.log(closes[row + step] / closes[row]) / sigma[row] for row in range(20, known - step)]
            expected = [sigma[cases.rows[case]] * np.quantile(past, LEVELS) for case in fold.cases]
            np.testing.assert_allclose(forecast.quantiles[fold.cases, step - 1], expected, rtol=1e-9)
    np.testing.assert_array_equal(forecast.median, forecast.quantiles[..., LEVELS.index(0.5)])


def test_volatility_is_nan_until_it_is_known_and_never_below_the_floor():
    sigma = ewma_volatility(np.zeros(40))
    assert np.isnan(sigma[:20]).all()
    assert (sigma[20:] == 1e-4).all()


def test_a_series_that_stands_still_gets_quantiles_of_zero():
    prices = make_prices({"FLAT": (np.datetime64("2018-01-01") + np.arange(300), np.full(300, 5.0))})
    cases, folds = cut(prices)
    for baseline in (constant, ewma):
        assert not baseline(prices, cases, folds, LEVELS).quantiles.any()


@pytest.mark.parametrize("baseline", [constant, ewma])
def test_quantiles_are_complete_and_rise(baseline):
    prices = market()
    cases, folds = cut(prices)
    assert_ordered(baseline(prices, cases, folds, LEVELS))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), day=st.integers(260, 395))
def test_closes_after_a_cutoff_change_no_forecast_of_it(seed, day):
    prices = market(seed=seed)
    after = prices.ds.min() + day
    changed = poisoned(prices, after, seed)
    cases, folds = cut(prices)
    known = cases.cutoffs <= after
    assert known.any()
    for baseline in FITTED:
        forecasts = (baseline(table, cut(table)[0], folds, LEVELS) for table in (prices, changed))
        assert_equal_forecasts(*forecasts, where=known)


def test_closes_after_known_until_change_nothing_that_is_fitted():
    prices = market()
    cases, folds = cut(prices)
    changed = poisoned(prices, folds[1].known_until)
    fitted = np.concatenate([fold.cases for fold in folds[:2]])
    for baseline in (drift, constant):
        forecasts = (baseline(table, cases, folds, LEVELS) for table in (prices, changed))
        assert_equal_forecasts(*forecasts, where=fitted)
    shapes = []
    for table in (prices, changed):
        sigma = np.concatenate([ewma_volatility(np.log(table.series(name)[1])) for name in table.ids])
        shapes.append(ewma(table, cases, folds, LEVELS).quantiles / sigma[cases.rows, None, None])
    np.testing.assert_allclose(shapes[0][fitted], shapes[1][fitted], rtol=1e-12)
    assert not np.allclose(shapes[0], shapes[1])


@pytest.mark.parametrize("baseline", [naive, *FITTED])
def test_one_series_alone_gets_the_forecasts_it_gets_among_others(baseline):
    prices = market(series=3)
    cases, folds = cut(prices)
    together = baseline(prices, cases, folds, LEVELS)
    for owner in range(3):
        own = np.flatnonzero(cases.owners == owner)
        alone = baseline(prices, cases.take(own), cut_folds(folds, own), LEVELS)
        quantiles = None if together.quantiles is None else together.quantiles[own]
        assert_equal_forecasts(alone, Forecast(together.median[own], quantiles))


@pytest.mark.parametrize("baseline", FITTED)
def test_another_unit_of_price_changes_nothing(baseline):
    prices = market()
    cases, folds = cut(prices)
    forecasts = (
        baseline(table, cases, folds, LEVELS) for table in (prices, dataclasses.replace(prices, y=prices.y * 7))
    )
    assert_equal_forecasts(*forecasts, rtol=1e-9, atol=1e-12)


def test_a_series_newer_than_the_fold_is_fitted_on_its_first_year():
    days = np.datetime64("2018-01-01") + np.arange(500)
    closes = made_market(2, 500, 0)
    prices = make_prices({"NEW": (days[200:], closes[0, 200:]), "OLD": (days, closes[1])})
    cases, folds = cut(prices, refit_every=1000)
    (_, (new,)), (_, (old,)) = stretches_of(prices, cases, folds)
    assert (prices.ds[prices.starts[0]] + MINIMUM_HISTORY) > folds[0].known_until
    assert new.known == MINIMUM_HISTORY
    assert new.cutoffs.min() >= new.known - 1
    assert days[old.known - 1] == folds[0].known_until


def test_every_case_is_in_one_stretch():
    prices = market(series=3)
    cases, folds = cut(prices)
    found = np.concatenate(
        [stretch.cases for _, stretches in stretches_of(prices, cases, folds) for stretch in stretches]
    )
    assert sorted(found.tolist()) == list(range(len(cases)))
