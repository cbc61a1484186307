"""Training in folds: each network knows what had ended before its fold, and nothing later."""

import dataclasses

import numpy as np
import pytest
import torch

from export.data.prices import make_prices
from export.errors import InputError
from export.evaluation.cases import cases_of, folds_of
from export.evaluation.methods.efemera import WINDOWS_PER_BATCH, forecast, known_to, refitted
from tests.export.conftest import stirred
from tests.export.evaluation.simulated import QUICK, SMALL, garch_walk, random_walk


def with_new(prices, days):
    """The same table and a series NEW that begins so many days before its end."""
    calendar, closes = prices.series("S0")
    series = {name: prices.series(name) for name in prices.ids}
    return make_prices({**series, "NEW": (calendar[-days:], closes[-days:])})


def other_future(prices, day):
    later = prices.ds > day
    y = prices.y.copy()
    y[later] *= np.random.default_rng(7).uniform(0.5, 2, later.sum())
    return dataclasses.replace(prices, y=y)


def cut(prices, refit_every=60):
    cases = cases_of(prices, SMALL.window, SMALL.horizon, prices.ds.min() + 300)
    return cases, folds_of(prices, cases, refit_every)


@pytest.mark.parametrize("horizon", [1, 5])
def test_what_is_known_ends_horizon_sessions_before_the_day(horizon):
    prices = random_walk(series=2, days=200)
    day = prices.ds.min() + 150
    known = known_to(prices, day, dataclasses.replace(SMALL, horizon=horizon))
    assert known.ids == prices.ids
    for name in prices.ids:
        days, closes = prices.series(name)
        assert known.series(name)[0].max() == day - horizon
        np.testing.assert_array_equal(known.series(name)[1], closes[days <= day - horizon])


def test_sessions_are_those_of_the_table_and_not_days():
    weekdays = np.busday_offset("2015-01-05", np.arange(200))
    prices = make_prices({"S0": (weekdays, random_walk(series=1, days=199).y)})
    assert known_to(prices, weekdays[150], SMALL).ds.max() == weekdays[148]
    monday = weekdays[150]
    assert monday - weekdays[149] == np.timedelta64(3, "D")
    assert known_to(prices, monday - 1, SMALL).ds.max() == weekdays[147]  # a Sunday: its last session is Friday


@pytest.mark.parametrize(("days", "there"), [(32 + 2, True), (32 + 1, False), (1, False)])
def test_a_series_without_one_whole_window_by_then_is_left_out(days, there):
    prices = with_new(random_walk(series=2, days=200), days)  # 2 of its days are purged, a window needs 30 + 2
    known = known_to(prices, prices.ds.max(), SMALL)
    assert ("NEW" in known.ids) == there
    for name in known.ids:
        np.testing.assert_array_equal(known.series(name)[1], prices.series(name)[1][: -SMALL.horizon])


def test_closes_after_a_fold_begins_do_not_change_its_network():
    prices, _ = garch_walk(series=2, days=460)
    cases, folds = cut(prices, refit_every=120)
    changed = other_future(prices, folds[0].known_until - SMALL.horizon)
    config = dataclasses.replace(SMALL, epochs=3, averaging=0.0, learning_rate=0.02)
    before = refitted(prices, cases, folds, config).quantiles
    # Given the old windows, a network that was trained on the same closes says the old things.
    first, second = (_of_fold(changed, prices, cases, fold, config) for fold in folds)
    np.testing.assert_array_equal(first, before[folds[0].cases])
    assert not np.array_equal(second, before[folds[1].cases])


def _of_fold(trained_on, windows_of, cases, fold, config):
    """Forecast the windows of one table by the network that `refitted` trains for a fold on another."""
    kept = []

    def keep(network, _prices, asked):
        kept.append(network)
        return forecast(network, windows_of, asked)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("export.evaluation.methods.efemera.forecast", keep)
        found = refitted(trained_on, cases, [fold], config).quantiles[fold.cases]
    assert len(kept) == 1
    return found


def test_every_case_gets_the_forecast_of_its_own_fold():
    prices, _ = garch_walk(series=2, days=460)
    cases, folds = cut(prices)
    told = []
    found = refitted(prices, cases, folds, dataclasses.replace(SMALL, epochs=1), lambda *turn: told.append(turn))
    assert len(folds) == 3
    assert told == [(number, 3) for number in range(4)]
    assert np.isfinite(found.quantiles).all()
    assert (np.diff(found.quantiles, axis=-1) > 0).all()
    np.testing.assert_array_equal(found.median, found.quantiles[..., SMALL.median_index])
    alone = refitted(prices, cases, folds[2:], dataclasses.replace(SMALL, epochs=1))
    np.testing.assert_array_equal(alone.quantiles[folds[2].cases], found.quantiles[folds[2].cases])
    assert np.isnan(alone.quantiles[folds[0].cases]).all()


@pytest.mark.slow
def test_folds_side_by_side_give_the_same():
    prices, _ = garch_walk(series=2, days=460)
    cases, folds = cut(prices)
    config = dataclasses.replace(SMALL, epochs=1)
    one, other = (refitted(prices, cases, folds[1:], config, processes=count).quantiles for count in (1, 2))
    np.testing.assert_array_equal(one, other)


def test_a_forecast_is_the_networks_own_answer_to_the_last_window():
    prices, _ = garch_walk(series=2, days=460)
    cases, _ = cut(prices)
    network = stirred(SMALL)
    assert len(cases) > WINDOWS_PER_BATCH  # so that blocks are joined
    found = forecast(network, prices, cases)
    for case in (0, WINDOWS_PER_BATCH - 1, WINDOWS_PER_BATCH, len(cases) - 1):
        days, closes = prices.series(prices.ids[cases.owners[case]])
        window = closes[days <= cases.cutoffs[case]][-SMALL.window :]
        with torch.no_grad():
            _, quantiles = network(torch.from_numpy(window[None]))
        np.testing.assert_allclose(
            window[-1] * np.exp(found[case]), quantiles[0].numpy(), rtol=1e-6
        )  # float32 sums of another batch size


def test_a_fold_with_too_little_to_train_on_says_so():
    prices = random_walk(series=1, days=300)
    config = dataclasses.replace(SMALL, window=240)
    cases = cases_of(prices, config.window, config.horizon, prices.ds.min())
    folds = folds_of(prices, cases, QUICK.refit_every)
    with pytest.raises(InputError, match="no window is left for the (training|validation) part: 248 sessions"):
        refitted(prices, cases, folds, config)


def test_a_table_of_series_that_are_all_too_new_says_so():
    prices = random_walk(series=1, days=300)
    cases = cases_of(prices, SMALL.window, SMALL.horizon, prices.ds.min())
    folds = folds_of(prices, cases, QUICK.refit_every)
    early = [dataclasses.replace(folds[0], known_until=prices.ds.min() + 20)]
    with pytest.raises(InputError, match="no window is left for the training part"):
        refitted(prices, cases, early, SMALL)
