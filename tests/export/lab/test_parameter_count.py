"""Parameters: counted by hand."""

import pytest

from export.lab import parameter_count
from export.lab.experiment import HOLDS, Setup
from export.lab.laboratory import EXPERIMENTS
from export.lab.language import ENGLISH


@pytest.fixture(scope="module")
def numbers():
    return parameter_count.measure(Setup(None, None, None))


def test_the_guides_network_has_31051_parameters_as_counted_by_hand(numbers):
    first = 4 * (50 * 1 + 50 * 50 + 50 + 50)
    second = 4 * (50 * 50 + 50 * 50 + 50 + 50)
    assert numbers["sizes"][0]["counted"]["lstm"] == first + second == 31_000
    assert numbers["whole"] == {"rnn": 7_801, "gru": 23_301, "lstm": 31_051}


def test_the_cells_stand_as_1_to_3_to_4_and_the_whole_networks_nearly(numbers):
    assert parameter_count.judge(numbers) == HOLDS
    assert "exactly 1 : 3 : 4" in EXPERIMENTS["parameters"].tell(numbers, ENGLISH).sentence
    assert "1.00 : 2.99 : 3.98" in EXPERIMENTS["parameters"].tell(numbers, ENGLISH).sentence
