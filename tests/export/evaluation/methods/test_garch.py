"""The GARCH baseline agrees with `arch`, with brute force and with data it should fit, and never looks ahead."""

import dataclasses

import numpy as np
import pytest
from arch import arch_model
from scipy import stats

from export.data.prices import make_prices
from export.evaluation.cases import cases_of, cut_folds, folds_of
from export.evaluation.methods import garch as module
from export.evaluation.methods.garch import (
    FitCounts,
    Garch,
    backcast,
    filter_variance,
    fit_garch,
    garch,
    step_quantiles,
    targeted_garch,
)
from tests.export.evaluation.methods.series import (
    LEVELS,
    assert_equal_forecasts,
    assert_ordered,
    cut,
    market,
    poisoned,
)

CALM = Garch(mu=0.02, omega=0.02, alpha=0.08, beta=0.90, df=6.0)
ROUGH = Garch(mu=0.0, omega=0.05, alpha=0.13, beta=0.87, df=4.2)  # alpha + beta = 1, as many real series have


def simulate(truth, days, seed):
    """Returns in percent, (days,)."""
    generator = np.random.default_rng(seed)
    shocks = truth.unit * generator.standard_t(truth.df, days)
    returns = np.empty(days)
    variance = 1.0
    for day in range(days):
        shock = np.sqrt(variance) * shocks[day]
        returns[day] = truth.mu + shock
        variance = truth.omega + truth.alpha * shock**2 + truth.beta * variance
    return returns


def simulated_prices(days=1500, series=1):
    calendar = np.datetime64("2010-01-01") + np.arange(days)
    return make_prices(
        {f"S{k}": (calendar, 10 * np.exp(np.cumsum(simulate(CALM, days, k)) / 100)) for k in range(series)}
    )


def test_the_filtered_variance_is_that_of_arch_and_so_is_the_next_days():
    returns = simulate(CALM, 1200, seed=1)
    fitted = arch_model(returns, dist="t", rescale=False).fit(disp="off")
    parameters = Garch(*fitted.params)
    variance = filter_variance(parameters, returns, backcast(returns))
    np.testing.assert_allclose(np.sqrt(variance[:-1]), fitted.conditional_volatility, rtol=1e-9)
    np.testing.assert_allclose(variance[-1], fitted.forecast(horizon=1).variance.iloc[-1, 0], rtol=1e-9)
    assert fit_garch(returns) == parameters


def test_parameters_of_simulated_data_are_found_again():
    found = fit_garch(simulate(CALM, 2500, seed=2))
    assert found.alpha == pytest.approx(CALM.alpha, abs=0.03)
    assert found.beta == pytest.approx(CALM.beta, abs=0.04)
    assert found.df == pytest.approx(CALM.df, abs=2)


def test_step_1_is_students_t_exactly():
    variance = np.array([0.3, 1.0, 4.0])
    found = step_quantiles(CALM, variance, np.geomspace(0.1, 30, 7), 1, LEVELS)[:, 0]
    scale = np.sqrt(variance * (CALM.df - 2) / CALM.df)
    np.testing.assert_allclose(found, CALM.mu + scale[:, None] * stats.t.ppf(LEVELS, CALM.df), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [CALM, ROUGH])
@pytest.mark.parametrize("variance", [0.02, 0.17, 1.0, 2.9, 14.0, 150.0])  # the first and last beyond the grid
def test_later_steps_agree_with_a_simulation_by_brute_force(parameters, variance):
    found = step_quantiles(parameters, np.array([variance]), np.geomspace(0.1, 30, 7), 5, LEVELS)[0]
    generator = np.random.default_rng(0)
    paths, total, current = 200_000, 0.0, variance
    for step in range(5):
        shock = np.sqrt(current) * parameters.unit * generator.standard_t(parameters.df, paths)
        total = total + parameters.mu + shock
        current = parameters.omega + parameters.alpha * shock**2 + parameters.beta * current
        expected = np.quantile(total, LEVELS)
        width = expected[-1] - expected[0]
        np.testing.assert_allclose(found[step], expected, rtol=0, atol=0.01 * width)


def test_the_variance_of_a_cutoff_follows_the_folds_fit_by_arch_day_by_day():
    prices = market(series=1)
    cases, folds = cut(prices)
    forecast, _ = garch(prices, cases, folds, LEVELS)
    days, closes = prices.series("S0")
    returns = 100 * np.diff(np.log(closes))
    for fold in folds:
        known = int((days <= fold.known_until).sum()) - 1
        fitted = arch_model(returns[:known], dist="t", rescale=False).fit(disp="off")
        mu, omega, alpha, beta, df = fitted.params
        variance = {known - 1: fitted.conditional_volatility[-1] ** 2}  # of each return
        for day in range(known, len(returns)):
            variance[day] = omega + alpha * (returns[day - 1] - mu) ** 2 + beta * variance[day - 1]
        for case in fold.cases:
            expected = mu + np.sqrt(variance[cases.rows[case]] * (1 - 2 / df)) * stats.t.ppf(LEVELS, df)
            np.testing.assert_allclose(100 * forecast.quantiles[case, 0], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_simulated_data_are_covered_as_promised():
    prices = simulated_prices(days=1300, series=3)
    cases = cases_of(prices, 60, 5, prices.ds[500])
    forecast, counts = garch(prices, cases, folds_of(prices, cases, 200), LEVELS)
    assert counts == FitCounts(fitted=12)
    for low, high, promised in ((0, -1, 0.95), (1, -2, 0.8)):
        inside = (cases.returns >= forecast.quantiles[..., low]) & (cases.returns <= forecast.quantiles[..., high])
        for step in range(5):
            error = np.sqrt(promised * (1 - promised) * (step + 1) / len(cases))  # windows of step 5 overlap
            assert inside[:, step].mean() == pytest.approx(promised, abs=3 * error)


def test_quantiles_are_complete_and_rise_around_the_median():
    prices = market()
    forecast, _ = garch(prices, *cut(prices), LEVELS)
    assert_ordered(forecast)
    np.testing.assert_allclose(forecast.median, forecast.quantiles[..., LEVELS.index(0.5)], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("day", [270, 333])
def test_closes_after_a_cutoff_change_no_forecast_of_it(day):
    prices = market()
    after = prices.ds.min() + day
    cases, folds = cut(prices)
    forecasts = [garch(table, cases, folds, LEVELS)[0] for table in (prices, poisoned(prices, after))]
    assert_equal_forecasts(*forecasts, where=cases.cutoffs <= after)
    assert not np.allclose(forecasts[0].quantiles, forecasts[1].quantiles)


def test_a_fit_sees_the_last_returns_up_to_known_until_and_no_others(monkeypatch):
    seen = []
    monkeypatch.setattr(module, "fit_garch", lambda returns: seen.append(returns))
    monkeypatch.setattr(module, "LONGEST", 270)
    prices = market(series=1)
    cases, folds = cut(prices)
    garch(prices, cases, folds, LEVELS)
    days, closes = prices.series("S0")
    assert [len(sample) for sample in seen] == [249, 270, 270]
    for sample, fold in zip(seen, folds, strict=True):
        known = closes[days <= fold.known_until]
        np.testing.assert_allclose(sample, 100 * np.diff(np.log(known))[-270:], rtol=1e-9)


def test_one_series_alone_gets_the_forecasts_it_gets_among_others():
    prices = market()
    cases, folds = cut(prices)
    together, _ = garch(prices, cases, folds, LEVELS)
    for owner in range(2):
        own = np.flatnonzero(cases.owners == owner)
        alone, _ = garch(prices, cases.take(own), cut_folds(folds, own), LEVELS)
        np.testing.assert_array_equal(alone.quantiles, together.quantiles[own])


def test_another_unit_of_price_changes_nothing():
    prices = market()
    cases, folds = cut(prices)
    forecasts = (
        garch(table, cases, folds, LEVELS)[0] for table in (prices, dataclasses.replace(prices, y=prices.y * 7))
    )
    assert_equal_forecasts(*forecasts, atol=1e-6)


def test_a_series_that_stands_still_is_set_by_variance_targeting():
    prices = make_prices({"FLAT": (np.datetime64("2018-01-01") + np.arange(300), np.full(300, 5.0))})
    forecast, counts = garch(prices, *cut(prices, refit_every=20), LEVELS)
    assert counts == FitCounts(targeted=3)
    assert_ordered(forecast)
    assert np.abs(forecast.quantiles).max() < 1e-3


def test_a_refused_fit_keeps_the_parameters_of_the_fold_before(monkeypatch):
    prices = market(series=1)
    cases, folds = cut(prices)
    fits = iter([fit_garch(simulate(CALM, 500, seed=1)), None, None])
    monkeypatch.setattr(module, "fit_garch", lambda _: next(fits))
    forecast, counts = garch(prices, cases, folds, LEVELS)
    assert counts == FitCounts(fitted=1, kept=2)
    assert len(np.unique(forecast.median[:, 0])) == 1


@pytest.mark.parametrize(("flag", "alpha", "accepted"), [(0, 0.1, True), (9, 0.1, False), (0, 0.1001, False)])
def test_a_fit_is_refused_that_did_not_converge_or_explodes(monkeypatch, flag, alpha, accepted):
    class Result:
        convergence_flag = flag
        params = (0.0, 0.1, alpha, 0.9, 5.0)

    monkeypatch.setattr("arch.univariate.mean.ConstantMean.fit", lambda *_, **__: Result)
    assert (fit_garch(simulate(CALM, 300, seed=0)) is not None) is accepted


def test_variance_targeting_has_the_mean_and_variance_of_the_sample():
    returns = simulate(CALM, 500, seed=3)
    found = targeted_garch(returns)
    assert found.mu == pytest.approx(returns.mean())
    assert found.omega / (1 - found.alpha - found.beta) == pytest.approx(returns.var())


def test_counts_of_several_series_add_up_to_one_note():
    counts = FitCounts(fitted=8, kept=1) + FitCounts(fitted=9, kept=1, targeted=1)
    assert counts.note() == (
        "GARCH: 20 fits; 3 did not converge or were not stationary: "
        "2 took the parameters of the fold before, 1 variance targeting"
    )
