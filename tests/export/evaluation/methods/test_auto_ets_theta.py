"""AutoETS and AutoTheta are asked at each series' first cutoff of a fold, and answer as `statsforecast` does."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from statsforecast import StatsForecast
from statsforecast.models import AutoETS, AutoTheta

from export.data.prices import make_prices
from export.evaluation.cases import cut_folds
from export.evaluation.methods.auto_ets_theta import auto_ets, auto_theta
from tests.export.evaluation.methods.series import (
    HORIZON,
    LEVELS,
    assert_equal_forecasts,
    assert_ordered,
    cut,
    market,
    poisoned,
)

BOTH = pytest.mark.parametrize("baseline", [auto_ets, auto_theta])


@BOTH
def test_each_series_is_asked_at_its_first_cutoff_of_each_fold(baseline):
    prices = market()
    cases, folds = cut(prices)
    asked, forecast = baseline(prices, cases, folds, LEVELS)
    expected = [fold.cases[cases.owners[fold.cases] == owner][0] for owner in range(2) for fold in folds]
    assert asked.tolist() == sorted(expected)
    assert forecast.median.shape == (len(asked), HORIZON)
    assert_ordered(forecast)


@pytest.mark.parametrize(("baseline", "model"), [(auto_ets, AutoETS), (auto_theta, AutoTheta)])
def test_the_quantiles_are_the_interval_bounds_of_statsforecast(baseline, model):
    prices = market(series=1)
    cases, folds = cut(prices)
    asked, forecast = baseline(prices, cases, folds, LEVELS)
    for position, case in enumerate(asked):
        row = cases.rows[case]
        table = pd.DataFrame(
            {"unique_id": "S0", "ds": np.arange(row + 1), "y": np.log(prices.y[: row + 1] / prices.y[row])}
        )
        answer = StatsForecast(models=[model(season_length=1)], freq=1).forecast(
            df=table, h=HORIZON, level=[50, 80, 95]
        )
        bounds = ["-lo-95", "-lo-80", "-lo-50", "", "-hi-50", "-hi-80", "-hi-95"]
        expected = answer[[model.__name__ + bound for bound in bounds]].to_numpy()
        np.testing.assert_allclose(forecast.quantiles[position], expected, rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(forecast.median[position], forecast.quantiles[position, :, 3])


@BOTH
def test_closes_after_a_cutoff_change_no_forecast_of_it(baseline):
    prices = market()
    cases, folds = cut(prices)
    after = folds[1].known_until
    (asked, before), (_, later) = (baseline(table, cases, folds, LEVELS) for table in (prices, poisoned(prices, after)))
    known = cases.cutoffs[asked] <= after
    assert_equal_forecasts(before, later, where=known)
    assert not np.allclose(before.quantiles, later.quantiles)


@BOTH
def test_one_series_alone_gets_the_forecasts_it_gets_among_others(baseline):
    prices = market()
    cases, folds = cut(prices)
    asked, together = baseline(prices, cases, folds, LEVELS)
    own = np.flatnonzero(cases.owners == 1)
    positions, alone = baseline(prices, cases.take(own), cut_folds(folds, own), LEVELS)
    np.testing.assert_array_equal(own[positions], asked[np.isin(asked, own)])
    np.testing.assert_array_equal(alone.quantiles, together.quantiles[np.isin(asked, own)])


@BOTH
def test_another_unit_of_price_changes_nothing(baseline):
    prices = market(series=1)
    cases, folds = cut(prices)
    tables = (prices, dataclasses.replace(prices, y=prices.y * 7))
    (_, one), (_, other) = (baseline(table, cases, folds, LEVELS) for table in tables)
    assert_equal_forecasts(one, other, atol=1e-6)


@BOTH
def test_a_series_that_stands_still_is_forecast_to_stand_still(baseline):
    prices = make_prices({"FLAT": (np.datetime64("2018-01-01") + np.arange(300), np.full(300, 5.0))})
    _, forecast = baseline(prices, *cut(prices), LEVELS)
    assert not forecast.quantiles.any()
