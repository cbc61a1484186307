"""Both languages say the same numbers, each in its own marks."""

import pytest

from export.lab.laboratory import EXPERIMENTS
from export.lab.language import ENGLISH, PORTUGUESE, power_of_ten
from tests.export.lab import numbers as made

CASES = {
    "parameters": [made.parameter_counts(), made.parameter_counts(lstm=5)],
    "gradient": [made.gradients(), made.gradients(lstm=0.5), made.gradients(opened=1e-9, trained=None)],
    "recall": [made.recalls(), made.recalls(lstm=30), made.recalls(rnn=60), made.recalls(rnn=0, seeds=1)],
    "kept": [made.kepts(), made.kepts(trained=(0.7, 1e-5)), made.kepts(recall_best=0.2), made.kepts(trained=())],
    "prices": [
        *(
            made.priced(rnn, gru)
            for rnn in ("better", "worse", "equal", "tiny", "unknown")
            for gru in ("better", "equal")
        ),
        *(made.priced(ewma=ewma) for ewma in ("better", "worse", "tiny", "unknown")),
    ],
    "life": [made.lives(), made.lives(equal=3), made.lives(after_all=0.0), made.lives(worst=0.0, after_all=0.0)],
}
ALL = [(name, numbers) for name, cases in CASES.items() for numbers in cases]


@pytest.mark.parametrize(("name", "numbers"), ALL)
def test_both_languages_have_the_same_numbers_in_the_sentence_and_the_table(name, numbers):
    english, portuguese = (EXPERIMENTS[name].tell(numbers, language) for language in (ENGLISH, PORTUGUESE))
    assert english.sentence != portuguese.sentence
    assert made.numbers_in(english.sentence, ENGLISH) == made.numbers_in(portuguese.sentence, PORTUGUESE)
    assert len(english.rows) == len(portuguese.rows)
    for one, other in zip(english.rows, portuguese.rows, strict=True):
        assert len(one) == len(english.columns) == len(portuguese.columns)
        assert made.numbers_in(" ".join(one), ENGLISH) == made.numbers_in(" ".join(other), PORTUGUESE)


@pytest.mark.parametrize(("name", "numbers"), ALL)
def test_every_outcome_can_be_drawn_in_both(name, numbers):
    for language in (ENGLISH, PORTUGUESE):
        assert EXPERIMENTS[name].draw(numbers, language).axes


@pytest.mark.parametrize(
    ("value", "english", "portuguese"),
    [(0.021, "0.021", "0,021"), (2.7e-24, "2.7 × 10⁻²⁴", "2,7 × 10⁻²⁴"), (0.0, "0", "0"), (-0.5, "−0.5", "−0,5")],
)
def test_small_numbers_keep_the_digits_that_count(value, english, portuguese):
    assert ENGLISH.small(value).replace("\u00a0", " ") == english
    assert PORTUGUESE.small(value).replace("\u00a0", " ") == portuguese


def test_numbers_are_marked_as_each_language_marks_them():
    assert (ENGLISH.count(31_051), PORTUGUESE.count(31_051)) == ("31,051", "31.051")
    assert (ENGLISH.percent(0.8034), PORTUGUESE.percent(0.8034)) == ("80.3%", "80,3%")
    assert (ENGLISH.fixed(-1234.5, 2), PORTUGUESE.fixed(-1234.5, 2)) == ("−1,234.50", "−1.234,50")
    assert ENGLISH.fixed(float("nan"), 2) == ENGLISH.small(float("nan")) == ENGLISH.percent(float("nan")) == "–"
    assert power_of_ten(1e-12) == "10⁻¹²"
    assert PORTUGUESE.listed(["a", "b", "c"]) == "a, b e c"
