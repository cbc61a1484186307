"""Laws of the metrics that hold for any returns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from export.evaluation import metrics

returns = arrays(np.float64, 12, elements=st.floats(-0.2, 0.2).map(lambda one: round(one, 6)))


@settings(max_examples=50, deadline=None)
@given(returns, returns)
def test_naive_against_itself_is_1_and_explains_nothing(actual, naive):
    if np.array_equal(actual, naive):
        naive = naive + 0.01
    assert metrics.relative_mae(actual, naive, naive) == 1
    assert metrics.theils_u(actual, naive, naive) == 1
    assert metrics.r2_of_returns(actual, naive, naive) == 0


@settings(max_examples=50, deadline=None)
@given(returns, returns)
def test_pinball_of_the_median_is_half_the_absolute_error(actual, median):
    half = np.abs(actual - median) / 2
    np.testing.assert_allclose(metrics.pinball_loss(actual, median[:, None], [0.5])[:, 0], half)


@settings(max_examples=50, deadline=None)
@given(returns, returns, returns, st.sampled_from([0.5, 0.8, 0.95]))
def test_winkler_is_the_pinball_loss_of_both_ends_over_half_of_what_lies_outside(actual, one, other, level):
    low, high = np.minimum(one, other), np.maximum(one, other)
    outside = 1 - level
    loss = metrics.pinball_loss(actual, np.stack([low, high], axis=1), [outside / 2, 1 - outside / 2])
    expected = (loss.sum(axis=1) * 2 / outside).mean()
    assert metrics.winkler(actual, low, high, level) == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(returns, returns, st.floats(0.01, 100))
@pytest.mark.parametrize(
    ("measure", "power"),
    [
        (lambda a, f: metrics.relative_mae(a, f, f[::-1]), 0),
        (lambda a, f: metrics.theils_u(a, f, f[::-1]), 0),
        (lambda a, f: metrics.r2_of_returns(a, f, f[::-1]), 0),
        (lambda a, f: metrics.mase(a, f, np.abs(f[::-1])), 0),
        (lambda a, f: metrics.rmsse(a, f, np.square(f[::-1])), 0),
        (lambda a, f: metrics.direction(a, f).share, 0),
        (lambda a, f: metrics.weighted_quantile_loss(a, f[:, None], [0.3]), 0),
        (lambda a, f: metrics.mean_pinball(a, f[:, None], [0.3]), 1),
        (lambda a, f: metrics.crps(a, f[:, None], [0.3]), 1),
        (lambda a, f: metrics.winkler(a, np.minimum(f, f[::-1]), np.maximum(f, f[::-1]), 0.8), 1),
    ],
)
def test_the_unit_of_returns_changes_no_relative_measure_and_scales_the_others(measure, power, actual, forecast, k):
    expected = measure(actual, forecast) * k**power
    assert measure(actual * k, forecast * k) == pytest.approx(expected, rel=1e-6, nan_ok=True)
