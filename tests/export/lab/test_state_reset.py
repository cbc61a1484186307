"""The life of the memory: a server that forgets holds the claim, one that remembers is found out."""

import numpy as np
import pytest
import torch

from export.lab import state_reset
from export.lab.experiment import FAILS, HOLDS, Setup
from tests.export.conftest import SMALL, stirred


@pytest.fixture(scope="module")
def network():
    """One that remembers: what its cells hold outlives a window."""
    made = stirred(SMALL)
    with torch.no_grad():
        for layer in range(SMALL.layers):
            getattr(made.lstm, f"bias_ih_l{layer}")[SMALL.hidden_size : 2 * SMALL.hidden_size] = 6.0
    return made


def forgetful(network):
    """A server as it should be: each request from zero."""

    def ask(windows):
        with torch.no_grad():
            return network(torch.tensor(np.array(windows)))[1].flatten(1).numpy()

    return lambda: ask


def remembering(network):
    """A server that keeps h and c from one request to the next."""

    def start():
        state = None

        def ask(windows):
            nonlocal state
            answers = []
            for window in windows:
                with torch.no_grad():
                    quantiles, state = state_reset.with_memory(
                        network, torch.tensor(np.array([window])), state, SMALL.window
                    )
                answers.append(quantiles.flatten().numpy())
            return np.array(answers)

        return ask

    return start


def test_a_server_that_forgets_answers_the_same_in_every_order(network, prices):
    numbers = state_reset.measure(Setup(prices, network, forgetful(network)))
    assert (numbers["orders"], numbers["equal"], numbers["pair_equal"]) == (9, 9, True)
    assert state_reset.judge(numbers) == HOLDS


def test_a_server_that_remembers_is_found_out(network, prices):
    numbers = state_reset.measure(Setup(prices, network, remembering(network)))
    assert numbers["equal"] < numbers["orders"]
    assert not numbers["pair_equal"]
    assert state_reset.judge(numbers) == FAILS


def test_without_a_state_the_counter_example_is_the_network_bit_for_bit(network, prices):
    windows = torch.from_numpy(np.stack([prices.series(name)[1][-60:] for name in prices.ids]))
    with torch.no_grad():
        assert torch.equal(state_reset.with_memory(network, windows, None, 60)[0], network(windows)[1])


def test_reading_a_window_in_two_parts_on_its_own_state_is_reading_it_whole(network, prices):
    windows = torch.from_numpy(prices.series("AAA")[1][None, -60:].copy())
    with torch.no_grad():
        x = network.scaling.encode(windows)[0].float().unsqueeze(-1)
        _, state = network.lstm(x[:, :40])
        parts, _ = state_reset.with_memory(network, windows, state, 20)
        torch.testing.assert_close(parts, network(windows)[1])
