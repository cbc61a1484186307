"""The sentence is the measurement's, whatever it is; both languages say the same numbers, each in its own marks."""

import string
from pathlib import Path

import pytest

from export.lab import laboratory
from export.lab.experiment import FAILS, HOLDS, IN_PART, OPEN
from export.lab.laboratory import EXPERIMENTS
from export.lab.language import ENGLISH, PORTUGUESE, power_of_ten
from tests.export.lab.numbers import gradients, kepts, lives, numbers_in, parameter_counts, priced, recalls

NOT_CLAIMED = "the claim is not what is measured here"
OUTCOMES = [  # name, numbers, verdict, words of the sentence
    ("parameters", parameter_counts(), HOLDS, "exactly 1 : 3 : 4"),
    ("parameters", parameter_counts(lstm=5), FAILS, "The parameters stand as 1.00 : 3.00 : 5.00, not 1 : 3 : 4"),
    ("gradient", gradients(lstm=0.5), HOLDS, "and that of a fresh LSTM to 0.5. In the model trained on prices"),
    ("gradient", gradients(), IN_PART, "the cell alone saves nothing"),
    ("gradient", gradients(opened=1e-9), FAILS, NOT_CLAIMED),
    ("gradient", gradients(rnn=0.1), FAILS, NOT_CLAIMED),
    ("gradient", gradients(trained=None, opened=1e-9), FAILS, f"to 1.0 × 10⁻⁹: {NOT_CLAIMED}."),
    ("recall", recalls(), HOLDS, "holds it, and the RNN, which recalls nearly all of them up to 5 days, does not"),
    ("recall", recalls(rnn=0, seeds=1), HOLDS, "which recalls nearly all of them at no distance"),
    ("recall", recalls(lstm=30), IN_PART, "nearly all up to 30 days and the RNN up to 5 days, so the LSTM reaches"),
    ("recall", recalls(rnn=50, blurred=0.6), IN_PART, "the RNN recalls nearly all up to 50 days, and fails later"),
    ("recall", recalls(rnn=60), FAILS, "no longer memory of the LSTM's shows"),
    ("recall", recalls(rnn=10, lstm=1), FAILS, "the LSTM recalls nearly all up to 1 day and the RNN up to 10 days"),
    ("kept", kepts(trained=(0.7, 1e-5)), HOLDS, "it does carry the past that far"),
    ("kept", kepts(), IN_PART, "one trained to remember keeps 99.0% in its best unit. Prices did not ask for it"),
    ("kept", kepts(recall_best=0.2), FAILS, "and one trained to remember keeps 20.0%"),
    ("kept", kepts(trained=()), IN_PART, "and of 2, 0.01."),
    ("prices", priced(), FAILS, "on these daily prices the three cells do not differ significantly."),
    ("prices", priced("better", "better"), HOLDS, "it is significantly better than the RNN and the GRU."),
    ("prices", priced("worse", "worse"), FAILS, "it is significantly worse than the RNN and the GRU."),
    ("prices", priced("better", "worse"), FAILS, "better than the RNN and significantly worse than the GRU."),
    ("prices", priced("worse", "better"), FAILS, "better than the GRU and significantly worse than the RNN."),
    ("prices", priced("better", "equal"), FAILS, "better than the RNN and not to be told apart from the GRU."),
    ("prices", priced("tiny", "equal"), FAILS, "different from the RNN by less than a thousandth"),
    ("prices", priced("unknown", "equal"), OPEN, "288 days are too few to tell chance from skill."),
    ("prices", priced(ewma="better"), FAILS, "Against EWMA it is 0.9700 (0.9600 to 0.9800), better."),
    ("prices", priced(ewma="worse"), FAILS, "Against EWMA it is 1.0300 (1.0200 to 1.0400), worse."),
    ("prices", priced(ewma="tiny"), FAILS, "a difference of no use"),
    ("prices", priced(ewma="unknown"), FAILS, "do not differ significantly."),
    ("life", lives(), HOLDS, "PETR4 asked after VALE3 gives bit for bit the answer that it gives alone"),
    ("life", lives(), HOLDS, "off by up to 5.00%; after all 60 days it would still be off by up to 3.0 × 10⁻⁶"),
    ("life", lives(equal=3), FAILS, "only 3 of 16 orders gave the answer of a series asked alone"),
    ("life", lives(after_all=0.0), HOLDS, "after all 60 days nothing of it would be left"),
    ("life", lives(worst=0.0, after_all=0.0), HOLDS, "A server that kept h and c would answer the same"),
]


@pytest.mark.parametrize(("name", "numbers", "verdict", "words"), OUTCOMES)
def test_the_sentence_follows_the_measurement(name, numbers, verdict, words):
    assert EXPERIMENTS[name].judge(numbers) == verdict
    assert words in EXPERIMENTS[name].tell(numbers, ENGLISH).sentence.replace("\u00a0", " ")


@pytest.mark.parametrize(("name", "numbers"), [outcome[:2] for outcome in OUTCOMES])
def test_both_languages_have_the_same_numbers_in_the_sentence_and_the_table_and_can_be_drawn(name, numbers):
    english, portuguese = (EXPERIMENTS[name].tell(numbers, language) for language in (ENGLISH, PORTUGUESE))
    assert english.sentence != portuguese.sentence
    assert numbers_in(english.sentence, ENGLISH) == numbers_in(portuguese.sentence, PORTUGUESE)
    assert len(english.rows) == len(portuguese.rows)
    for one, other in zip(english.rows, portuguese.rows, strict=True):
        assert len(one) == len(english.columns) == len(portuguese.columns)
        assert numbers_in(" ".join(one), ENGLISH) == numbers_in(" ".join(other), PORTUGUESE)
    for language in (ENGLISH, PORTUGUESE):
        assert EXPERIMENTS[name].draw(numbers, language).axes


def fields_of(texts):
    """The fields of each text, and how long each list is."""
    if isinstance(texts, dict):
        return {key: fields_of(text) for key, text in texts.items()}
    if isinstance(texts, list):
        return len(texts)
    return sorted(field[1:3] for field in string.Formatter().parse(texts) if field[1])


def test_both_languages_have_the_same_texts_with_the_same_fields_on_the_same_lines():
    assert fields_of(ENGLISH.texts) == fields_of(PORTUGUESE.texts)
    english, portuguese = (
        [line.partition(" = ")[0] for line in path.read_text(encoding="utf-8").splitlines()[2:]]
        for path in sorted(Path(laboratory.__file__).parent.glob("texts_*.toml"))
    )
    assert english == portuguese


@pytest.mark.parametrize(
    ("value", "english", "portuguese"),
    [(0.021, "0.021", "0,021"), (2.7e-24, "2.7 × 10⁻²⁴", "2,7 × 10⁻²⁴"), (0.0, "0", "0"), (-0.5, "−0.5", "−0,5")],
)
def test_small_numbers_keep_the_digits_that_count(value, english, portuguese):
    assert ENGLISH.small(value).replace("\u00a0", " ") == english
    assert PORTUGUESE.small(value).replace("\u00a0", " ") == portuguese


def test_numbers_are_marked_as_each_language_marks_them():
    for value, spec, english, portuguese in (
        (31_051, ",", "31,051", "31.051"),
        (0.8034, ".1%", "80.3%", "80,3%"),
        (-1234.5, ",.2f", "−1,234.50", "−1.234,50"),
    ):
        assert (ENGLISH.number(value, spec), PORTUGUESE.number(value, spec)) == (english, portuguese)
    nan = float("nan")
    assert ENGLISH.number(nan, ".2f") == ENGLISH.small(nan) == ENGLISH.number(nan, ".1%") == "–"
    assert power_of_ten(1e-12) == "10⁻¹²"
    assert PORTUGUESE.listed(["a", "b", "c"]) == "a, b e c"
