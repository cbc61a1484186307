"""The verdict follows its rules one by one, of one step ahead on all cases, and its reasons tell the numbers."""

from __future__ import annotations

import math

import pytest

from export.evaluation.verdict import verdict_of

LEVEL = {"ratio": 1.0, "low": 0.99, "high": 1.01, "statistic": 0.1, "p_value": 0.92}  # neither better nor worse
BETTER = {"ratio": 0.9912, "low": 0.9853, "high": 0.9974, "statistic": -3.1, "p_value": 0.002}
WORSE = {"ratio": 1.0123, "low": 1.0041, "high": 1.0207, "statistic": 3.2, "p_value": 0.001}
FAIR = {"95": (0.951, 0.941, 0.96), "80": (0.803, 0.788, 0.817), "50": (0.49, 0.47, 0.51)}  # share, low, high
NAN = math.nan


def verdict(price=LEVEL, spread=LEVEL, drift=LEVEL, coverage=FAIR, later=None):
    """Judge a table whose other parts, steps, methods and measures say the opposite of what is asked here."""
    fair = {level: (float(level) / 100, 0.0, 1.0) for level in coverage}
    lost = dict.fromkeys(coverage, (0.1, 0.08, 0.12))
    all_steps = {"price": LEVEL, "spread": LEVEL, "coverage": fair} | (later or {})
    scores = [
        score("all", 0, all_steps["coverage"]),
        score("volatility low", 1, lost),
        score("all", 1, coverage),
        score("all", 2, lost),
        score("series A", 1, fair),
    ]
    comparisons = [
        {"against": against, "measure": measure, "step": step, **line}
        for step in (0, 1, 2)
        for against, measure, line in (
            ("naive", "absolute error", (all_steps["price"], price, WORSE)[step]),
            ("drift", "absolute error", drift if step == 1 else WORSE),
            ("ewma", "pinball", (all_steps["spread"], spread, WORSE)[step]),
            ("ewma", "absolute error", WORSE),
            ("garch", "pinball", WORSE),
        )
    ]
    return verdict_of(scores, comparisons)


def score(part, step, coverage):
    def told(held):
        return {"coverage": {level: dict(zip(("share", "low", "high"), of, strict=True)) for level, of in held.items()}}

    return {
        "part": part,
        "step": step,
        "methods": {"efemera": told(coverage), "ewma": told(dict.fromkeys(coverage, (0.1, 0.08, 0.12)))},
    }


def test_a_model_that_is_no_better_and_no_worse_is_calibrated():
    found, reasons = verdict()
    assert found == "calibrated"
    assert "not proven better than the last close" in reasons[-1]


def test_a_model_that_is_better_by_every_rule_has_an_edge():
    found, reasons = verdict(price=BETTER)
    assert found == "edge"
    assert "beats the last close" in reasons[-1]


@pytest.mark.parametrize(
    "spoiled",
    [
        {"price": BETTER | {"high": 1.0}},
        {"price": BETTER | {"p_value": 0.05}},
        {"price": BETTER | {"statistic": 3.1}},
        {"drift": LEVEL | {"ratio": 1.0001}},
    ],
    ids=["interval holds 1", "test finds nothing", "test finds it worse", "drift is better"],
)
def test_each_rule_alone_takes_the_edge_away(spoiled):
    assert verdict(**{"price": BETTER} | spoiled)[0] == "calibrated"


def test_better_by_the_interval_and_as_good_as_drift_is_enough():
    nearly = BETTER | {"high": 0.9999, "p_value": 0.0499}
    assert verdict(price=nearly, drift=LEVEL | {"ratio": 1.0})[0] == "edge"


def test_a_better_distribution_alone_is_no_edge():
    assert verdict(spread=BETTER)[0] == "calibrated"


@pytest.mark.parametrize("name", ["price", "spread"])
@pytest.mark.parametrize("others", [LEVEL, BETTER], ids=["otherwise level", "otherwise better"])
def test_significantly_worse_in_price_or_in_spread_alone_is_rejected(name, others):
    given = {"price": others, "spread": others, name: WORSE}
    found, [reason] = verdict(**given)
    assert found == "rejected"
    assert {"price": "worse than the last close", "spread": "worse than EWMA"}[name] in reason


@pytest.mark.parametrize("fault", [{"price": WORSE}, {"spread": WORSE}, {"coverage": FAIR | {"80": (0.7, 0.69, 0.71)}}])
def test_what_is_wrong_over_all_steps_alone_is_rejected(fault):
    found, [reason] = verdict(price=BETTER, spread=BETTER, later=fault)
    assert found == "rejected"
    assert "over all steps" in reason


@pytest.mark.parametrize("name", ["price", "spread"])
def test_worse_within_chance_is_not_rejected(name):
    assert verdict(**{name: WORSE | {"low": 1.0}})[0] == "calibrated"


@pytest.mark.parametrize("sign", [-1, 1], ids=["too narrow", "too wide"])
@pytest.mark.parametrize(("level", "margin"), [("50", 0.04), ("80", 0.03), ("95", 0.02), ("90", 0.03)])
def test_an_interval_beyond_its_margin_and_beyond_chance_is_rejected(level, margin, sign):
    promised = float(level) / 100

    def with_share(share, width):
        return verdict(price=BETTER, coverage=FAIR | {level: (share, share - width, share + width)})[0]

    outside, inside = promised + sign * (margin + 0.001), promised + sign * (margin - 0.001)
    assert with_share(outside, width=0.005) == "rejected"
    assert with_share(inside, width=0.005) == "edge"  # beyond chance, and near enough
    assert with_share(outside, width=0.1) == "edge"  # too far off, and perhaps by chance


@pytest.mark.parametrize("level", [*FAIR, "90"])
def test_coverage_whose_interval_can_not_be_told_rejects_nothing(level):
    assert verdict(coverage=FAIR | {level: (0.3, NAN, NAN)})[0] == "calibrated"


@pytest.mark.parametrize("name", ["price", "spread"])
def test_a_ratio_whose_interval_can_not_be_told_neither_rejects_nor_gives_an_edge(name):
    assert verdict(**{name: WORSE | {"low": NAN, "high": NAN}})[0] == "calibrated"
    assert verdict(price=BETTER | {"low": NAN, "high": NAN})[0] == "calibrated"


@pytest.mark.parametrize(
    "unknown",
    [{"price": BETTER | {"p_value": NAN, "statistic": NAN}}, {"drift": LEVEL | {"ratio": NAN}}],
    ids=["test", "drift"],
)
def test_no_edge_comes_of_what_can_not_be_told(unknown):
    assert verdict(**{"price": BETTER} | unknown)[0] == "calibrated"


@pytest.mark.parametrize("price", [LEVEL, BETTER], ids=["calibrated", "edge"])
def test_the_reasons_tell_coverage_pinball_loss_and_error(price):
    spread = {"ratio": 0.99714, "low": 0.99426, "high": 1.00015}
    _, [held, pinball, error] = verdict(price=price, spread=spread)
    for share, level in (("95.1%", "95%"), ("80.3%", "80%"), ("49.0%", "50%")):
        assert share in held
        assert level in held
    assert "0.9971 (0.9943 to 1.0002)" in pinball
    assert f"{price['ratio']:.4f} ({price['low']:.4f} to {price['high']:.4f})" in error


def test_a_rejection_names_every_fault_with_its_numbers_and_no_merit():
    coverage = FAIR | {"95": (0.9023, 0.889, 0.9151), "80": (0.861, 0.849, 0.873)}
    found, reasons = verdict(price=WORSE, spread=WORSE | {"ratio": 1.0345}, coverage=coverage)
    assert found == "rejected"
    assert len(reasons) == 4
    wide, narrow, error, pinball = reasons
    assert "The 95% interval held 90.2% of the closes one session ahead (88.9 to 91.5)." in wide
    assert "The 80% interval held 86.1% of the closes one session ahead (84.9 to 87.3)." in narrow
    assert "1.0123 (1.0041 to 1.0207)" in error
    assert "1.0345 (1.0041 to 1.0207)" in pinball
