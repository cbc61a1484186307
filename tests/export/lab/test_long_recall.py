"""The long memory: an LSTM wired by hand solves the task exactly, a cell without memory not at all."""

import torch
from torch import nn

from export.lab import long_recall
from export.lab.language import ENGLISH
from tests.export.lab.numbers import recalls

SURE = 40.0  # a gate with this inside is open, or shut, to float32's last bit
SMALL = 1e-2  # where tanh is linear


def wired():
    """One unit that takes the value in on the marked day, and lets nothing else in or out."""
    cell, linear = nn.LSTM(2, 1, batch_first=True), nn.Linear(1, 1)
    with torch.no_grad():
        for parameter in (*cell.parameters(), *linear.parameters()):
            parameter.zero_()
        # rows are input, forget, candidate, output; columns are value, mark
        cell.weight_ih_l0.copy_(torch.tensor([[0, 2 * SURE], [0, -2 * SURE], [SMALL, 0], [0, 0]]))
        cell.bias_ih_l0.copy_(torch.tensor([-SURE, SURE, 0.0, SURE]))
        linear.weight.fill_(1 / SMALL)
    return cell, linear


def test_an_lstm_wired_by_hand_recalls_every_value_at_every_lag():
    shares, correlations = long_recall.recalled(*wired(), seed=0)
    assert list(shares) == list(correlations) == ["1", "2", "5", "10", "20", "30", "40", "50", "60"]
    assert set(shares.values()) == {1.0}
    assert min(correlations.values()) > 0.9999


def test_its_forget_gate_keeps_everything_over_50_days():
    assert long_recall._kept(wired()[0], seed=0) == {"mean": 1.0, "best": 1.0}


def test_a_cell_that_forgets_at_once_recalls_nothing():
    cell, linear = wired()
    with torch.no_grad():
        cell.bias_ih_l0[1] = -SURE  # shuts the forget gate
    shares, correlations = long_recall.recalled(cell, linear, seed=0)
    assert max(map(abs, correlations.values())) < 0.2
    assert max(shares.values()) < 0.15  # a guess: one in ten


def test_a_seed_trains_the_same_cell_again():
    one, same, other = (long_recall.trained("rnn", 3e-3, 3, seed) for seed in (1, 1, 2))
    assert one[2] == same[2] != other[2]
    assert torch.equal(one[0].weight_hh_l0, same[0].weight_hh_l0)


def test_the_marked_value_is_the_one_asked_for():
    lags = torch.tensor([1, 7, 60])
    x, values = long_recall.sequences(3, lags, torch.Generator().manual_seed(0))
    assert x.shape == (3, 61, 2)
    assert x[:, :, 1].sum(dim=1).tolist() == [1, 1, 1]
    for row, lag in enumerate(lags.tolist()):
        assert x[row, 60 - lag, 1] == 1
        assert x[row, 60 - lag, 0] == values[row]


def test_one_seed_has_no_spread():
    assert long_recall.rows(recalls(seeds=1), ENGLISH)[-1][1] == "0%"
    assert long_recall.rows(recalls(seeds=3), ENGLISH)[-1][1] == "1% (0–2%)"
