"""Every measure equals an independent implementation of it, or what it must be by hand."""

import math
import statistics

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from utilsforecast import losses

from export.evaluation import metrics

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
NAMES = [f"q{number}" for number in range(len(LEVELS))]
ROWS = 40

few = pytest.mark.parametrize("name", ["A", "B", "C"])


@pytest.fixture(scope="module")
def table():
    """Three series of ROWS cases: what came, a forecast, naive, quantiles, and an 80% interval."""
    random = np.random.default_rng(6)
    rows = 3 * ROWS
    made = pd.DataFrame({"unique_id": np.repeat(["A", "B", "C"], ROWS), "ds": np.tile(np.arange(ROWS), 3) + 100})
    spread = np.repeat([0.01, 0.02, 0.05], ROWS)
    made["y"] = spread * random.standard_t(4, rows)
    made["f"] = 0.3 * made["y"] + 0.5 * spread * random.standard_normal(rows)
    made["n"] = 0.0
    made[NAMES] = spread[:, None] * stats.norm.ppf(LEVELS) * random.uniform(0.8, 1.2, (rows, 1))
    made["f-lo-80"], made["f-hi-80"] = made["q1"], made["q5"]
    return made


@pytest.fixture(scope="module")
def history():
    """Log closes of the three series before their first case."""
    random = np.random.default_rng(7)
    steps = random.standard_normal((3, 100)) * [[0.01], [0.02], [0.05]]
    made = pd.DataFrame({"unique_id": np.repeat(["A", "B", "C"], 100), "ds": np.tile(np.arange(100), 3)})
    made["y"] = np.cumsum(steps, axis=1).ravel()
    return made


def _columns(table, name, *columns):
    """These columns of one series, as arrays."""
    return [table.loc[table.unique_id == name, column].to_numpy() for column in columns]


def _theirs(scores, name, column="f"):
    """The score utilsforecast gives one series."""
    return scores.set_index("unique_id")[column][name]


@few
def test_relative_mae_is_that_of_utilsforecast(table, name):
    theirs = losses.rmae(table, models=["f"], baseline="n")
    assert metrics.relative_mae(*_columns(table, name, "y", "f", "n")) == pytest.approx(_theirs(theirs, name))


@few
def test_theils_u_and_r2_are_made_of_the_squared_errors_of_utilsforecast(table, name):
    theirs = losses.mse(table, models=["f", "n"])
    quotient = _theirs(theirs, name) / _theirs(theirs, name, "n")
    assert metrics.theils_u(*_columns(table, name, "y", "f", "n")) == pytest.approx(math.sqrt(quotient))
    assert metrics.r2_of_returns(*_columns(table, name, "y", "f", "n")) == pytest.approx(1 - quotient)


@few
@pytest.mark.parametrize("squared", [False, True], ids=["mase", "rmsse"])
def test_scaled_errors_are_those_of_utilsforecast(table, history, name, squared):
    ours, theirs = (metrics.rmsse, losses.rmsse) if squared else (metrics.mase, losses.mase)
    scale = np.full(ROWS, metrics.naive_scales(*_columns(history, name, "y"))[squared])
    expected = _theirs(theirs(table, models=["f"], seasonality=1, train_df=history), name)
    assert ours(*_columns(table, name, "y", "f"), scale) == pytest.approx(expected)


def test_scaled_errors_of_several_steps_take_the_scale_of_their_row_and_leave_out_rows_without_one():
    actual = np.array([[0.02, -0.04], [0.01, 0.01], [0.3, 0.3]])
    scale = np.array([0.02, 0.01, 0.0])
    forecast = np.zeros((3, 2))
    assert metrics.mase(actual, forecast, scale) == pytest.approx(statistics.mean([1, 2, 1, 1]))
    assert metrics.rmsse(actual, forecast, scale**2) == pytest.approx(math.sqrt(statistics.mean([1, 4, 1, 1])))


def test_naive_scales_are_the_means_of_the_absolute_and_of_the_squared_differences():
    absolute, squared = metrics.naive_scales(np.array([4.0, 4.1, 4.05, 4.05]))
    assert absolute == pytest.approx(statistics.mean([0.1, 0.05, 0]))
    assert squared == pytest.approx(statistics.mean([0.01, 0.0025, 0]))


@few
@pytest.mark.parametrize("number", range(len(LEVELS)))
def test_pinball_loss_of_each_level_is_the_quantile_loss_of_utilsforecast(table, name, number):
    actual, *quantiles = _columns(table, name, "y", *NAMES)
    theirs = losses.quantile_loss(table, models={"f": NAMES[number]}, q=LEVELS[number])
    loss = metrics.pinball_loss(actual, np.stack(quantiles, axis=1), LEVELS)
    assert loss.shape == (ROWS, len(LEVELS))
    assert loss[:, number].mean() == pytest.approx(_theirs(theirs, name))


@few
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(metrics.mean_pinball, losses.mqloss), (metrics.weighted_quantile_loss, losses.scaled_crps)],
    ids=["mean pinball", "weighted quantile loss"],
)
def test_losses_over_all_levels_are_those_of_utilsforecast(table, name, ours, theirs):
    actual, *quantiles = _columns(table, name, "y", *NAMES)
    expected = _theirs(theirs(table, models={"f": NAMES}, quantiles=np.array(LEVELS)), name)
    assert ours(actual, np.stack(quantiles, axis=1), LEVELS) == pytest.approx(expected)


@pytest.mark.parametrize("measure", [metrics.mean_pinball, metrics.weighted_quantile_loss, metrics.crps])
def test_steps_pool_as_if_each_were_a_case(table, measure):
    actual, quantiles = table["y"].to_numpy(), table[NAMES].to_numpy()
    pooled = measure(actual.reshape(-1, 5), quantiles.reshape(-1, 5, len(LEVELS)), LEVELS)
    assert pooled == pytest.approx(measure(actual, quantiles, LEVELS))


def test_crps_by_hand_weighs_each_level_by_the_stretch_between_its_neighbours():
    expected = (0.5 - 0) * 0.1 * (1 - 0) + (0.9 - 0.1) * 0 + (1 - 0.5) * 0.1 * (3 - 1)
    assert metrics.crps(np.array([1.0]), np.array([[0.0, 1.0, 3.0]]), (0.1, 0.5, 0.9)) == pytest.approx(expected)


@pytest.mark.parametrize("actual", [-2.0, 0.0, 0.5, 3.0])
@pytest.mark.parametrize(
    "levels",
    [np.arange(1, 1000) / 1000, np.sin(np.arange(1, 1000) * np.pi / 2000) ** 2],
    ids=["equal levels", "unequal levels"],
)
def test_crps_of_many_levels_is_the_closed_form_of_the_normal(actual, levels):
    """Gneiting, Raftery, Westveld & Goldman (2005), equation 5."""
    exact = actual * (2 * stats.norm.cdf(actual) - 1) + 2 * stats.norm.pdf(actual) - 1 / math.sqrt(math.pi)
    assert metrics.crps(np.array([actual]), stats.norm.ppf(levels)[None], levels) == pytest.approx(exact, rel=2e-3)


def test_crps_of_the_seven_default_levels_is_965_thousandths_of_that_of_a_calibrated_normal():
    actual = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    quantiles = np.broadcast_to(stats.norm.ppf(LEVELS), (20_000, len(LEVELS)))
    assert metrics.crps(actual, quantiles, LEVELS) * math.sqrt(math.pi) == pytest.approx(0.965, abs=5e-4)


@few
def test_winkler_is_that_of_utilsforecast(table, name):
    theirs = losses.winkler_score(table, models=["f"], level=80)
    assert metrics.winkler(*_columns(table, name, "y", "q1", "q5"), 0.8) == pytest.approx(_theirs(theirs, name))


@few
def test_coverage_is_that_of_utilsforecast_with_the_binomial_interval_of_scipy(table, name):
    share = metrics.coverage(*_columns(table, name, "y", "q1", "q5"))
    assert share.share == pytest.approx(_theirs(losses.coverage(table, models=["f"], level=80), name))
    interval = stats.binomtest(round(share.share * ROWS), ROWS).proportion_ci()
    assert (share.low, share.high) == pytest.approx((interval.low, interval.high))


def test_the_ends_of_an_interval_belong_to_it():
    ends = np.array([0.1, -0.1])
    assert metrics.coverage(ends, np.array([0.1, -0.2]), np.array([0.2, -0.1])).share == 1


@pytest.mark.parametrize(("count", "cases"), [(0, 10), (10, 10), (3, 10), (1, 1), (801, 1000), (47_500, 50_000)])
def test_the_interval_of_a_share_is_the_exact_one_of_scipy(count, cases):
    share = metrics.share_of(np.arange(cases) < count)
    interval = stats.binomtest(count, cases).proportion_ci(method="exact")
    assert share.share == count / cases
    assert (share.low, share.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_direction_counts_signs_and_leaves_out_cases_without_one():
    actual = np.array([0.1, -0.1, 0.2, 0.0, 0.3, 0.4])
    forecast = np.array([0.2, 0.1, 0.1, 0.1, 0.0, 0.1])
    found = metrics.direction(actual, forecast)
    interval = stats.binomtest(3, 4).proportion_ci()
    assert (found.share, found.majority, found.cases) == (0.75, 0.75, 4)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_the_majority_may_be_falls():
    found = metrics.direction(np.array([-0.1, -0.2, -0.3, 0.1]), np.full(4, 0.1))
    assert (found.share, found.majority) == (0.25, 0.75)


def test_a_forecast_of_no_change_has_no_direction():
    found = metrics.direction(np.array([0.1, -0.1]), np.zeros(2))
    assert found.cases == 0
    assert all(math.isnan(one) for one in (found.share, found.low, found.high, found.majority))


NONE, STILL, MOVED = np.empty(0), np.zeros(3), np.ones(3)


@pytest.mark.parametrize(
    "measured",
    [
        lambda: metrics.relative_mae(STILL, MOVED, STILL),
        lambda: metrics.theils_u(STILL, MOVED, STILL),
        lambda: metrics.r2_of_returns(STILL, MOVED, STILL),
        lambda: metrics.mase(MOVED, STILL, STILL),
        lambda: metrics.rmsse(MOVED, STILL, STILL),
        lambda: metrics.naive_scales(np.ones(1))[0],
        lambda: metrics.weighted_quantile_loss(STILL, MOVED[:, None], [0.5]),
        lambda: metrics.mean_pinball(NONE, NONE[:, None], [0.5]),
        lambda: metrics.crps(NONE, NONE[:, None], [0.5]),
        lambda: metrics.winkler(NONE, NONE, NONE, 0.8),
        lambda: metrics.coverage(NONE, NONE, NONE).share,
    ],
)
def test_what_has_nothing_to_divide_by_is_nan(measured):
    assert math.isnan(measured())


@pytest.mark.parametrize(
    "measured",
    [
        lambda row: metrics.relative_mae(row, row[:, None], row),
        lambda row: metrics.theils_u(row, row, row[:, None]),
        lambda row: metrics.mase(row, row, row[:1]),
        lambda row: metrics.direction(row, row[:1]),
        lambda row: metrics.coverage(row, row[:, None], row),
        lambda row: metrics.pinball_loss(row, row[:, None], [0.1, 0.9]),
        lambda row: metrics.crps(row, row[:, None].repeat(2, axis=1), [0.9, 0.1]),
        lambda row: metrics.winkler(row, row, row, 80),
    ],
)
def test_arrays_that_would_broadcast_and_levels_out_of_order_are_refused(measured):
    with pytest.raises(AssertionError):
        measured(np.ones(3))
