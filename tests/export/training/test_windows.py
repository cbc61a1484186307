"""Windows and the split: no target of one part is seen in another, and the future changes nothing before it."""

import numpy as np
import pytest
import torch

from export.data.prices import make_prices
from export.errors import InputError
from export.training.config import Config
from export.training.network import Network, scaled_targets
from export.training.windows import cut_windows, first_rows, split_by_date

WINDOW, HORIZON = 60, 5


@pytest.fixture
def split(prices):
    return split_by_date(prices, WINDOW, HORIZON, 0.2, 0.2)


def test_every_window_lies_in_one_series(prices):
    for first in first_rows(prices, WINDOW, HORIZON):
        series = np.searchsorted(prices.starts, [first, first + WINDOW + HORIZON - 1], side="right")
        assert series[0] == series[1]


def test_every_possible_window_is_there_once(prices):
    lengths = np.diff(prices.starts)
    first = first_rows(prices, WINDOW, HORIZON)
    assert len(first) == sum(length - WINDOW - HORIZON + 1 for length in lengths)
    assert len(np.unique(first)) == len(first)


def test_parts_are_apart_by_date_with_a_gap_of_horizon(prices, split):
    sessions = np.unique(prices.ds)
    after = lambda rows: np.searchsorted(sessions, prices.ds[rows + WINDOW])  # noqa: E731 - first target's session
    last = lambda rows: np.searchsorted(sessions, prices.ds[rows + WINDOW + HORIZON - 1])  # noqa: E731
    assert last(split.train).max() + HORIZON < after(split.validation).min()
    assert last(split.validation).max() + HORIZON < after(split.test).min()
    assert min(len(split.train), len(split.validation), len(split.test)) > 0


def test_no_target_of_one_part_is_a_target_of_another(prices, split):
    targets = [
        {
            (int(np.searchsorted(prices.starts, row, side="right")), int(row) + WINDOW + step)
            for row in rows
            for step in range(HORIZON)
        }
        for rows in (split.train, split.validation, split.test)
    ]
    assert not targets[0] & targets[1]
    assert not targets[1] & targets[2]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_changing_any_price_after_a_part_changes_nothing_in_it(prices, split, part):
    """The perturbation test: inputs, targets, scale and base quantiles of a part know nothing of later days."""
    until = split.validation_from if part == "train" else split.test_from
    poisoned = prices.y.copy()
    poisoned[prices.ds >= until] *= np.random.default_rng(0).uniform(0.5, 2.0, (prices.ds >= until).sum())
    later = make_prices(
        {
            name: (prices.ds[start:end], poisoned[start:end])
            for name, start, end in zip(prices.ids, prices.starts[:-1], prices.starts[1:], strict=True)
        }
    )
    again = split_by_date(later, WINDOW, HORIZON, 0.2, 0.2)
    rows = getattr(split, part)
    np.testing.assert_array_equal(rows, getattr(again, part))
    before, after = (_learned(table, rows) for table in (prices, later))
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def _learned(table, rows):
    """Everything training reads of a part."""
    network = Network(Config())
    prices, future = cut_windows(torch.from_numpy(table.y), torch.from_numpy(rows), WINDOW, HORIZON)
    inputs, scale = network.scaling.encode(prices)
    targets = scaled_targets(prices, future, scale)
    network.start_from(targets)
    return inputs, scale, targets, network.base_gaps.data, network.linear.bias.data


def test_a_planted_leak_is_caught_by_the_same_comparison(prices, split):
    """The perturbation test can fail: a part cut one horizon too late does see the changed days."""
    rows = split.train + HORIZON
    poisoned = prices.y.copy()
    poisoned[prices.ds >= split.validation_from] *= 1.5
    tables = (torch.from_numpy(closes) for closes in (prices.y, poisoned))
    before, after = (
        torch.cat(cut_windows(closes, torch.from_numpy(rows), WINDOW, HORIZON), dim=1) for closes in tables
    )
    assert not torch.equal(before, after)


def test_too_few_sessions_for_a_part_is_said_with_the_numbers():
    days = np.arange("2020-01-01", "2020-03-10", dtype="datetime64[D]")
    table = make_prices({"A": (days, np.linspace(10, 11, len(days)))})
    with pytest.raises(InputError, match="no window is left for the training part: 69 sessions"):
        split_by_date(table, WINDOW, HORIZON, 0.15, 0.15)
