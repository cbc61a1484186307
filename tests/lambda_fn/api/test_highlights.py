"""The notes of an explanation: only of what stands out, and every number in them is the data's."""

import dataclasses
import re

import numpy as np
import pytest
from msgspec import UNSET

from lambda_fn.api.highlights import MOST_NOTES, STRIKING, notes_of
from lambda_fn.model import attribution, gates
from tests.lambda_fn.conftest import MODELS, walks

NO_DATES = [None] * 60


@pytest.fixture(scope="module")
def explained(forecaster):
    """Twenty walks, each with one fall of 20%."""
    weights, closes = gates.load_weights(MODELS / "weights.npz"), walks(20, seed=8)
    for number, window in enumerate(closes):
        window[10 + number :] *= 0.8
    return [attribution.attribute_forecast(forecaster, weights, window) for window in closes]


@pytest.fixture
def calm(explained):
    """An explanation in which each day is as the next."""
    attributed = explained[0]
    steady = np.array([0.0] + [0.01, -0.01] * 29 + [0.01])
    layers = [{name: np.full_like(values, 0.6) for name, values in layer.items()} for layer in attributed.layers]
    return dataclasses.replace(attributed, returns=steady, layers=layers, width=np.full(60, 0.02))


def with_gate(attributed, layer, gate, day, closed):
    """The explanation with a gate closed on one day in so many units of one layer."""
    layers = [{name: values.copy() for name, values in one.items()} for one in attributed.layers]
    layers[layer][gate][day, :closed] = 0.4
    return dataclasses.replace(attributed, layers=layers)


def test_of_calm_days_nothing_is_said(calm):
    assert notes_of(calm, "forget", NO_DATES) == []


def test_there_are_at_most_five_the_most_striking_first(explained):
    for attributed in explained:
        notes = notes_of(attributed, "forget", NO_DATES)
        assert 1 <= len(notes) <= MOST_NOTES
        assert [note.times for note in notes] == sorted((note.times for note in notes), reverse=True)
        assert all(note.times >= STRIKING for note in notes)
        assert len({(note.kind, str(note.layer)) for note in notes}) == len(notes)


def test_every_number_in_a_note_is_the_datas(explained):
    for attributed in explained:
        sizes = np.abs(attributed.returns)
        for note in notes_of(attributed, "forget", NO_DATES):
            assert re.match(rf"day {note.day}\b", note.text)
            assert note.return_ == attributed.returns[note.day]
            [percent] = re.findall(r"([\d.]+)% (?:fall|rise)|(?:fell|rose) ([\d.]+)%", note.text)
            assert float("".join(percent)) == pytest.approx(100 * sizes[note.day], rel=0.06)
            assert ("fall" in note.text or "fell" in note.text) is (note.return_ < 0)
            if note.kind == "moved":
                assert sizes[note.day] == sizes.max()
                assert note.times == pytest.approx(sizes.max() / (sizes.sum() / 59))
            elif note.kind == "widened":
                assert note.width == attributed.width[note.day] == attributed.width.max()
                assert f"added {note.width:.3g} to" in note.text
                assert f"{attributed.forecast[1]:.3g} in all" in note.text
            else:
                gate = attributed.layers[note.layer][note.gate]
                counts = (gate < 0.5 if note.kind == "forgot" else gate >= 0.5).sum(axis=1)
                assert note.units == counts[note.day] == counts[1:].max()
                assert note.usual == sorted(counts[1:])[59 // 2]
                assert f"gate of {note.units} of 50 units" in note.text
                assert note.text.endswith(f"in the {('first', 'second')[note.layer]} layer; usually {note.usual}")


def test_a_fall_that_closed_most_forget_gates_is_told_as_one_would_say_it(calm):
    attributed = with_gate(calm, 1, "forget", 40, 31)
    returns = attributed.returns.copy()
    returns[40] = -0.0601
    notes = notes_of(
        dataclasses.replace(attributed, returns=returns), "forget", [*NO_DATES[:40], "2026-11-23", *NO_DATES[41:]]
    )
    assert [note.text for note in notes] == [
        "day 40, the 6.0% fall, closed the forget gate of 31 of 50 units in the second layer; usually 0",
        "day 40 fell 6.0%, 5.5 times this window's mean move",
    ]
    assert [(note.kind, note.date, note.layer) for note in notes] == [
        ("forgot", "2026-11-23", 1),
        ("moved", "2026-11-23", UNSET),
    ]


def test_a_gate_that_is_closed_by_habit_is_no_news_and_one_that_opens_then_is(calm):
    attributed = with_gate(calm, 0, "forget", slice(0, 60), 40)
    assert notes_of(attributed, "forget", NO_DATES) == []
    attributed.layers[0]["forget"][7] = 0.7
    [note] = notes_of(attributed, "forget", NO_DATES)
    assert (note.kind, note.day, note.units, note.usual) == ("remembered", 7, 50, 10)
    assert (
        note.text == "day 7, the 1.0% rise, held the forget gate of 50 of 50 units open in the first layer; usually 10"
    )


def test_an_input_gate_that_opens_against_its_habit_is_told(calm):
    attributed = with_gate(calm, 1, "input", slice(0, 60), 50)
    attributed.layers[1]["input"][20, :30] = 0.9
    [note] = notes_of(attributed, "forget", NO_DATES)
    assert (note.kind, note.gate, note.text) == (
        "opened",
        "input",
        "day 20, the 1.0% fall, opened the input gate of 30 of 50 units in the second layer; usually 0",
    )


def test_a_few_units_are_no_news(calm):
    assert notes_of(with_gate(calm, 0, "forget", 33, 4), "forget", NO_DATES) == []


def test_what_the_first_day_does_answers_no_return_and_is_not_told(calm):
    assert notes_of(with_gate(calm, 0, "forget", 0, 50), "forget", NO_DATES) == []


def test_a_day_without_a_return_is_called_what_it_is(calm):
    attributed = with_gate(calm, 0, "forget", 12, 25)
    attributed.returns[12] = 0.0
    assert notes_of(attributed, "forget", NO_DATES)[0].text.startswith("day 12, an unchanged close, closed")
