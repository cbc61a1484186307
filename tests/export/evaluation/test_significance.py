"""Tests of a difference keep their size where series move together and horizons overlap; the usual ones do not."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from export.evaluation.metrics import share_of
from export.evaluation.significance import (
    BLOCK_SESSIONS,
    MINIMUM_BLOCKS,
    Comparison,
    dates_bootstrap,
    diebold_mariano,
    ratio_interval,
)

FIRST = np.datetime64("2020-01-01")


def _overlapping(random, dates, series=1, steps=5):
    """Sums of independent steps, as losses `steps` ahead are, of variance 1: (dates, series)."""
    single = random.standard_normal((dates + steps - 1, series))
    return sum(single[lag : lag + dates] for lag in range(steps)) / math.sqrt(steps)


def _by_hand(differences, horizon, bartlett=False):
    """Diebold-Mariano with the correction of Harvey, Leybourne & Newbold, in loops: the statistic."""
    total = len(differences)
    mean = sum(differences) / total
    variance = 0.0
    for lag in range(horizon):
        covariance = 0.0
        for t in range(lag, total):
            covariance += (differences[t] - mean) * (differences[t - lag] - mean) / total
        weight = 1 - lag / horizon if bartlett else 1
        variance += covariance * weight * (1 if lag == 0 else 2)
    if variance <= 0:
        return math.nan
    shrink = (total + 1 - 2 * horizon + horizon * (horizon - 1) / total) / total
    return mean / (variance / total) ** 0.5 * shrink**0.5


@pytest.mark.parametrize("horizon", [1, 2, 3, 5])
def test_diebold_mariano_is_the_formula_written_out(horizon):
    loss_a = np.array([1.0, 2.0, 1.5, 3.0, 2.5, 2.0, 4.0, 3.5, 2.0, 1.0, 2.2, 2.8, 1.1, 0.7, 2.4, 3.3])
    loss_b = np.array([1.4, 2.3, 1.7, 2.9, 2.1, 1.4, 3.2, 2.9, 1.7, 0.9, 2.3, 3.0, 1.2, 0.6, 2.0, 2.8])
    statistic = _by_hand((loss_a - loss_b).tolist(), horizon)
    assert math.isfinite(statistic)
    found = diebold_mariano(loss_a, loss_b, horizon)
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(statistic), 15))


def test_one_step_ahead_it_is_students_t_test():
    random = np.random.default_rng(1)
    loss_a, loss_b = random.exponential(size=(2, 30))
    found = diebold_mariano(loss_a, loss_b, 1)
    theirs = stats.ttest_rel(loss_a, loss_b)
    assert (found.statistic, found.p_value) == pytest.approx((theirs.statistic, theirs.pvalue))


def test_bartlett_weights_stand_in_where_the_variance_is_not_positive():
    differences = np.array([1.0, -0.9, 1.1, -1.0, 0.9, -1.1, 1.2, -0.8])
    assert math.isnan(_by_hand(differences.tolist(), 2))
    found = diebold_mariano(differences, np.zeros(8), 2)
    assert found.statistic == pytest.approx(_by_hand(differences.tolist(), 2, bartlett=True))


def test_methods_that_never_differ_are_equal_and_too_few_dates_cannot_tell():
    same = np.arange(20.0)
    assert diebold_mariano(same, same, 5) == Comparison(0.0, 1.0)
    few = diebold_mariano(same[:5], np.zeros(5), 5)
    assert math.isnan(few.statistic)
    assert math.isnan(few.p_value)


@pytest.mark.parametrize("better", [-0.5, 0.5])
def test_the_same_difference_on_every_date_is_certain(better):
    found = diebold_mariano(np.full(20, 1 + better), np.ones(20), 5)
    assert found.statistic == math.copysign(math.inf, better)
    assert found.p_value == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6), st.floats(0.001, 1000))
def test_exchanging_the_methods_turns_the_sign_and_the_unit_of_the_losses_does_not_matter(seed, horizon, k):
    loss_a, loss_b = np.random.default_rng(seed).exponential(size=(2, 40))
    found, turned = diebold_mariano(loss_a, loss_b, horizon), diebold_mariano(k * loss_b, k * loss_a, horizon)
    assert turned.statistic == pytest.approx(-found.statistic)
    assert turned.p_value == pytest.approx(found.p_value)


def test_of_two_equal_methods_5_in_100_differ_at_5_percent_and_far_more_where_the_overlap_is_ignored():
    random = np.random.default_rng(2)
    pairs = [_overlapping(random, 250, 2).T for _ in range(800)]
    rejected, ignored = (np.mean([diebold_mariano(a, b, h).p_value < 0.05 for a, b in pairs]) for h in (5, 1))
    assert 0.035 < rejected < 0.075
    assert ignored > 0.3


def test_a_real_difference_is_found():
    random = np.random.default_rng(3)
    loss_a, loss_b = _overlapping(random, 250, 2).T
    found = diebold_mariano(loss_a - 1, loss_b, 5)
    assert found.statistic < 0
    assert found.p_value < 0.01


def test_every_draw_takes_as_many_dates_as_there_are_and_each_as_often_as_any():
    counts = dates_bootstrap(37, 4000, seed=0, block=5)
    assert counts.shape == (4000, 37)
    assert set(counts.sum(axis=1)) == {37}
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.08)


def test_dates_are_taken_in_circular_blocks():
    """With 5 blocks of 4 out of 20 dates, dates d apart share 4 - d of 20 starts: their covariance follows."""
    counts = dates_bootstrap(20, 40_000, seed=1, block=4)
    covariances = np.cov(counts.T)
    for apart in range(8):
        expected = 5 * (max(4 - apart, 0) / 20 - (4 / 20) ** 2)
        around = [covariances[date, (date + apart) % 20] for date in range(20)]
        assert np.mean(around) == pytest.approx(expected, abs=0.02)


def test_the_seed_decides_the_draws():
    one, again, other = (dates_bootstrap(60, 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_ratio_of_draws_is_that_of_the_cases_they_take():
    random = np.random.default_rng(4)
    dates = FIRST + random.integers(60, size=200)
    above, below = random.exponential(size=(2, 200))
    distinct = np.unique(dates)
    ratios = []
    for draw in dates_bootstrap(len(distinct), 200, seed=7, block=6):
        taken = np.concatenate([np.flatnonzero(dates == day).repeat(n) for day, n in zip(distinct, draw, strict=True)])
        ratios.append(above[taken].sum() / below[taken].sum())
    blocks = len(distinct) / 6
    outside = stats.norm.cdf(stats.t.ppf(0.025, blocks - 1) * math.sqrt(blocks / (blocks - 1)))
    expected = np.quantile(ratios, [outside, 1 - outside])
    assert ratio_interval(above, below, dates, draws=200, seed=7, block=6) == pytest.approx(tuple(expected))


def test_in_blocks_of_one_it_is_the_bootstrap_of_scipy():
    random = np.random.default_rng(5)
    above, below = random.exponential(size=(2, 100))
    theirs = stats.bootstrap(
        (above, below),
        lambda a, b, axis: a.sum(axis) / b.sum(axis),
        paired=True,
        method="percentile",
        n_resamples=9999,
        rng=random,
    ).confidence_interval
    ours = ratio_interval(above, below, FIRST + np.arange(100), draws=9999, block=1)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03 * (theirs.high - theirs.low))


def test_more_series_that_move_as_one_make_no_interval_narrower_and_their_order_does_not_matter():
    random = np.random.default_rng(6)
    dates = FIRST + np.arange(100)
    hits = random.random(100) < 0.8
    order = random.permutation(1000)
    few = ratio_interval(hits.astype(float), np.ones(100), dates)
    assert ratio_interval(np.tile(hits, 10)[order].astype(float), np.ones(1000), np.tile(dates, 10)[order]) == few
    one, ten = share_of(hits), share_of(np.tile(hits, 10))
    assert ten.high - ten.low < 0.4 * (one.high - one.low)


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "block", "least"), [(1, 10, 0.93), (5, 10, 0.905), (5, 20, 0.92)])
def test_over_dates_an_interval_holds_nearly_what_it_promises(steps, block, least):
    held = [
        low <= 2 <= high for low, high in _intervals(steps, 1000, lambda *of: ratio_interval(*of, 400, block=block))
    ]
    assert least < np.mean(held) < 0.97


@pytest.mark.parametrize(("steps", "most"), [(1, 0.7), (5, 0.45)])
def test_over_cases_it_would_hold_far_less(steps, most):
    held = [low <= 2 <= high for low, high in _intervals(steps, 100, _over_cases)]
    assert np.mean(held) < most


def _intervals(steps, trials, interval):
    """Intervals of a ratio that is 2 in truth, on 250 dates of 8 series whose losses have a correlation of 0.8."""
    random = np.random.default_rng(7)
    dates = np.repeat(FIRST + np.arange(250), 8)
    below = np.full(len(dates), 5.0)
    for _ in range(trials):
        own, shared = _overlapping(random, 250, 8, steps), _overlapping(random, 250, 1, steps)
        above = 10 + math.sqrt(0.2) * own + math.sqrt(0.8) * shared  # (dates, series)
        yield interval(above.ravel(), below, dates)


def _over_cases(above, below, dates):
    """The 95% interval of the bootstrap that takes cases as independent."""
    taken = np.random.default_rng(0).integers(len(dates), size=(200, len(dates)))
    return np.quantile(above[taken].sum(axis=1) / below[taken].sum(axis=1), [0.025, 0.975])


@pytest.mark.parametrize(
    ("dates", "below"),
    [(MINIMUM_BLOCKS * BLOCK_SESSIONS - 1, 1.0), (MINIMUM_BLOCKS * BLOCK_SESSIONS, 0.0), (0, 1.0)],
    ids=["too few dates", "nothing to divide by", "no case"],
)
def test_what_cannot_be_resampled_has_no_interval(dates, below):
    interval = ratio_interval(np.ones(dates), np.full(dates, below), FIRST + np.arange(dates))
    assert all(math.isnan(end) for end in interval)


def test_60_000_cases_and_1_000_draws_take_less_than_half_a_second():
    random = np.random.default_rng(8)
    above, below = random.exponential(size=(2, 60_000))
    dates = np.tile(FIRST + np.arange(1200), 50)
    began = time.process_time()
    ratio_interval(above, below, dates)
    assert time.process_time() - began < 0.5
