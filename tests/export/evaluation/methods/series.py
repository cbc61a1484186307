"""Made series for the tests of the baselines, and what must hold of every forecast of them."""

from __future__ import annotations

import dataclasses

import numpy as np

from export.data.prices import make_prices
from export.data.sample import made_market
from export.evaluation.cases import cases_of, folds_of

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
HORIZON = 3


def market(series=2, days=400, seed=0):
    """Made series on successive days; each starts 20 days after the one before."""
    calendar = np.datetime64("2018-01-01") + np.arange(days)
    closes = made_market(series, days, seed)
    return make_prices({f"S{k}": (calendar[20 * k :], closes[k, 20 * k :]) for k in range(series)})


def cut(prices, refit_every=60):
    """Its cases and folds."""
    cases = cases_of(prices, 60, HORIZON, prices.ds.min())
    return cases, folds_of(prices, cases, refit_every)


def poisoned(prices, after, seed=0):
    """The same prices up to that day, and others later."""
    later = prices.ds > after
    y = prices.y.copy()
    y[later] *= np.random.default_rng(seed).uniform(0.5, 2, later.sum())
    return dataclasses.replace(prices, y=y)


def assert_equal_forecasts(one, other, where=slice(None), rtol=0.0, atol=0.0):
    """The same median and quantiles of these cases, within the tolerance."""
    np.testing.assert_allclose(one.median[where], other.median[where], rtol, atol)
    assert (one.quantiles is None) == (other.quantiles is None)
    if one.quantiles is not None:
        np.testing.assert_allclose(one.quantiles[where], other.quantiles[where], rtol, atol)


def assert_ordered(forecast):
    """Every number is there, and quantiles rise."""
    assert np.isfinite(forecast.median).all()
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=-1) > 0).all()
