"""Folds cover every case once, and what a fold may be fitted on ends by its first cutoff."""

import numpy as np
import pytest

from export.data.prices import make_prices
from export.evaluation.cases import cases_of, folds_of
from tests.export.evaluation.made import DAY, market


def uneven():
    """One series on every day, one on every other, one that starts late; and their cases."""
    days = DAY + np.arange(560)
    walk = np.exp(np.random.default_rng(0).normal(0, 0.01, (3, 560)).cumsum(axis=1))
    table = {"ALL": (days, walk[0]), "HALF": (days[::2], walk[1, ::2]), "LATE": (days[200:], walk[2, 200:])}
    prices = make_prices(table)
    return prices, cases_of(prices, 60, 5, DAY + 300)


@pytest.mark.parametrize("refit_every", [1, 7, 63, 254, 255, 10_000])
def test_every_case_is_in_exactly_one_fold(refit_every):
    prices, cases = uneven()
    found = np.concatenate([fold.cases for fold in folds_of(prices, cases, refit_every)])
    assert sorted(found.tolist()) == list(range(len(cases)))


@pytest.mark.parametrize("refit_every", [1, 7, 63, 254, 255, 10_000])
def test_a_fold_is_known_until_its_first_session_and_holds_the_cutoffs_of_its_stretch_alone(refit_every):
    prices, cases = uneven()
    sessions = sorted({day for day in prices.ds.tolist() if day >= min(cases.cutoffs.tolist())})
    folds = folds_of(prices, cases, refit_every)
    starts = sessions[: sessions.index(max(cases.cutoffs.tolist())) + 1 : refit_every]
    assert [fold.known_until.item() for fold in folds] == starts
    for fold, start in zip(folds, starts, strict=True):
        stretch = sessions[sessions.index(start) :][:refit_every]
        assert set(cases.cutoffs[fold.cases].tolist()) <= set(stretch)
        assert cases.cutoffs[fold.cases].min() >= fold.known_until


def test_refitted_every_session_each_cutoff_date_is_its_own_fold():
    prices, cases = uneven()
    folds = folds_of(prices, cases, 1)
    assert len(folds) == len(np.unique(cases.cutoffs))
    for fold in folds:
        np.testing.assert_array_equal(fold.cases, np.flatnonzero(cases.cutoffs == fold.known_until))


def test_a_stretch_longer_than_all_is_one_fold_known_until_the_first_cutoff():
    prices, cases = uneven()
    [fold] = folds_of(prices, cases, 10_000)
    assert fold.known_until == cases.cutoffs.min() == DAY + 300
    assert fold.cases.tolist() == list(range(len(cases)))


def test_the_last_fold_may_be_shorter():
    prices = market(300)
    cases = cases_of(prices, 60, 5, DAY)  # 46 of them
    assert [len(fold.cases) for fold in folds_of(prices, cases, 20)] == [20, 20, 6]
    assert [len(fold.cases) for fold in folds_of(prices, cases, 23)] == [23, 23]


def test_a_stretch_without_a_cutoff_is_no_fold_and_the_next_is_known_until_its_own_first_session():
    days = DAY + np.arange(330)
    judged = np.concatenate([days[:260], days[295:]])  # from 260 to 294 only the other one trades
    prices = make_prices(
        {"JUDGED": (judged, np.linspace(10, 20, len(judged))), "SHORT": (days[240:], np.linspace(5, 6, 90))}
    )
    cases = cases_of(prices, 60, 5, DAY)
    folds = folds_of(prices, cases, 10)
    assert [fold.known_until for fold in folds] == [DAY + 249, DAY + 259, DAY + 289, DAY + 299, DAY + 309, DAY + 319]
    assert cases.cutoffs[folds[2].cases].tolist() == days[295:299].tolist()
