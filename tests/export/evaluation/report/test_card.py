"""The model card says what the evaluation found, in words and in its numbers, whatever the series are called."""

import copy
import json

import pytest
from markdown_it import MarkdownIt

from export.evaluation.report.model_card import model_card
from tests.export.evaluation.simulated import exported, gate

pytestmark = pytest.mark.slow

ODD = ["A|B", "*star*", "_under_", "`code`", "[a](b)", "<b>bold</b>", "#1", "back\\slash", "two\nlines", "x_y_z"]


def manifest():
    return json.loads(exported("fine")["manifest.json"])


def evaluation(**changes):
    return {**copy.deepcopy(gate("fine").evaluation), **changes}


def read(card):
    """Read the page as it is shown: the texts of paragraphs, list items and cells, as Markdown shows them."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(card)
    return [_shown(token) for token in tokens if token.type == "inline"]


def _shown(token):
    """Its text; any HTML that got through stands out."""
    parts = {"text": "{}", "code_inline": "{}", "softbreak": " ", "html_inline": "HTML{}"}
    return "".join(parts.get(child.type, "").format(child.content) for child in token.children)


def rows_of(card):
    """Each table row as its cells."""
    tokens = MarkdownIt("commonmark").enable("table").parse(card)
    rows = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.level >= 4:
            rows[-1].append(_shown(token))
    return rows


def methods_at(found, step):
    [methods] = [line["methods"] for line in found["scores"] if (line["part"], line["step"]) == ("all", step)]
    return methods


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("edge", "The median beats “tomorrow equals today” by more than chance would"),
        ("calibrated", "The intervals hold what they promise; the price itself is forecast no better"),
        ("rejected", "This model is not fit for use"),
    ],
)
def test_the_verdict_stands_in_words(verdict, words):
    texts = read(model_card(evaluation(verdict=verdict), manifest()))
    assert any(text.startswith(f"Verdict: {verdict}. {words}") for text in texts)
    assert any("no investment advice" in text for text in texts)


def test_every_reason_is_told():
    found = evaluation()
    assert len(found["reasons"]) == 3
    texts = read(model_card(found, manifest()))
    assert [text for text in texts if text in found["reasons"]] == found["reasons"]


def test_the_table_of_methods_holds_the_numbers_of_the_evaluation():
    found, labels = evaluation(), {"efemera": "Efemera", "ewma": "EWMA", "garch": "GARCH-t", "naive": "Naive"}
    rows = {row[0]: row for row in rows_of(model_card(found, manifest()))}
    methods = methods_at(found, 1)
    for name, label in labels.items():
        assert rows[label][1] == f"{methods[name]['rel_mae']:.4f}"
        if "pinball" in methods[name]:
            assert rows[label][2] == f"{methods[name]['pinball']:.6f}"
            assert rows[label][3] == f"{methods[name]['pinball'] / methods['ewma']['pinball']:.4f}"
            for column, level in ((4, "50"), (5, "80")):
                cover = {end: 100 * value for end, value in methods[name]["coverage"][level].items()}
                assert rows[label][column] == f"{cover['share']:.1f}% [{cover['low']:.1f}, {cover['high']:.1f}]"
            assert rows[label][6] == "–"  # these quantiles bound no 95% interval
        else:
            assert rows[label][2:] == [""] * 5
    assert rows["EWMA"][3] == "1.0000"


def test_the_table_of_steps_holds_ratios_with_their_intervals():
    found = evaluation()
    rows = {row[0]: row for row in rows_of(model_card(found, manifest()))}
    assert rows["sessions ahead"][1:5] == ["error ÷ naive", "÷ EWMA", "÷ GARCH-t", "÷ Constant quantiles"]
    tests = {(line["against"], line["measure"], line["step"]): line for line in found["comparisons"]}
    for step in (1, 2):
        row = rows[str(step)]
        assert len(row) == 7
        assert row[1] == f"{methods_at(found, step)['efemera']['rel_mae']:.4f}"
        for column, name in ((2, "ewma"), (3, "garch"), (4, "constant")):
            line = tests[name, "pinball", step]
            assert row[column] == f"{line['ratio']:.4f} [{line['low']:.4f}, {line['high']:.4f}]"
        cover = methods_at(found, step)["efemera"]["coverage"]["80"]["share"]
        assert row[5].startswith(f"{100 * cover:.1f}% [")


def test_coverage_by_volatility_is_that_of_the_thirds():
    found = evaluation()
    [told] = [text for text in read(model_card(found, manifest())) if text.startswith("Coverage of the 80% interval")]
    for third in ("low", "middle", "high"):
        [line] = [line for line in found["scores"] if (line["part"], line["step"]) == (f"volatility {third}", 1)]
        assert f"{third} {100 * line['methods']['efemera']['coverage']['80']['share']:.1f}% [" in told


def test_what_the_model_is_and_has_seen_is_told():
    found, card = evaluation(), model_card(evaluation(), manifest())
    rows = {row[0]: row[1] for row in rows_of(card) if len(row) == 2}
    assert rows["network"].startswith("LSTM, 1 layer of 4, window 30, head quantile, scaling ewma")
    assert rows["trained on"] == "1,197 daily closes of 3 series (S0, S1, S2), 2015-01-01 to 2016-02-03"
    assert rows["judged on"].startswith(
        f"{found['cases']:,} forecasts of 3 series (S0, S1, S2), cutoffs 2016-02-06 to "
    )
    assert rows["seen of these"] == "3 of these 3 series, up to 2016-02-03"
    assert "## The model in this folder: fine\\_1\n" in card


@pytest.mark.parametrize("name", ODD)
def test_names_stay_text(name):
    found, described = evaluation(model_version=name), manifest()
    found["data"]["ids"] = described["training_data"]["ids"] = [name, "S1"]
    found["forced"] = f"{name} wins"
    card, shown = model_card(found, described), " ".join(name.split())
    rows = {row[0]: row[1] for row in rows_of(card) if len(row) == 2}
    assert f"of 2 series ({shown}, S1)," in rows["judged on"]
    assert f"of 2 series ({shown}, S1)," in rows["trained on"]
    texts = read(card)
    assert f"The model in this folder: {shown}" in texts
    assert f"It was promoted against the gate's refusal: {shown} wins" in texts


def test_notes_stand_as_markdown_before_how_it_was_judged():
    notes = "\n## What was tried\n\n| idea | kept |\n|---|---|\n| sign flips | no |\n\n"
    card = model_card(evaluation(), manifest(), notes)
    assert ["sign flips", "no"] in rows_of(card)
    texts = read(card)
    assert texts.index("What was tried") < texts.index("How it was judged")
    assert len(card) > len(model_card(evaluation(), manifest())) + 40


def test_a_model_that_does_not_say_what_it_was_trained_on_has_no_such_row():
    card = model_card(evaluation(), {**manifest(), "training_data": None})
    rows = {row[0] for row in rows_of(card)}
    assert "trained on" not in rows
    assert {"network", "judged on", "seen of these"} <= rows


def test_nothing_forced_is_told_of_a_model_that_earned_its_place():
    assert "refusal" not in model_card(evaluation(), manifest())


def test_there_are_no_blank_lines_in_tables_and_no_trailing_spaces_of_a_template():
    card = model_card(evaluation(), manifest())
    assert "\n\n\n" not in card
    assert "{{" not in card
    assert "{%" not in card
    assert (
        len([token for token in MarkdownIt("commonmark").enable("table").parse(card) if token.type == "table_open"])
        == 4
    )
