"""Controls that catch cheating: on markets of which the truth is known, the training scores what can be known."""

import dataclasses

import pytest

from export.evaluation.backtest import evaluate_training
from export.evaluation.cases import cases_of, folds_of
from export.evaluation.methods.efemera import refitted
from export.evaluation.methods.simple import constant
from export.evaluation.metrics import pinball_loss
from export.evaluation.scores import compare
from tests.export.evaluation.simulated import (
    QUICK,
    SMALL,
    garch_walk,
    in_this_process,
    oracle_quantiles,
    random_walk,
    shuffled,
)

pytestmark = pytest.mark.slow

CONFIG = dataclasses.replace(SMALL, epochs=4)
LEVELS = CONFIG.quantiles
SEEDS = (0, 1)


def evaluated(prices):
    with in_this_process:
        [(evaluation, _)] = evaluate_training(prices, CONFIG, [0], QUICK, lambda *_: None)
    tests = {(line["against"], line["measure"], line["step"]): line for line in evaluation["comparisons"]}
    return evaluation, tests


def trained_and_constant(prices):
    """Cases in the later half of the days, what networks trained in folds say of them, and constant quantiles."""
    cases = cases_of(prices, CONFIG.window, CONFIG.horizon, prices.ds.min() + 450)
    folds = folds_of(prices, cases, QUICK.refit_every)
    return cases, refitted(prices, cases, folds, CONFIG), constant(prices, cases, folds, LEVELS)


def first_losses(cases, quantiles):
    """Compute the pinball loss of each case, one session ahead."""
    return pinball_loss(cases.returns[:, 0], quantiles, LEVELS).mean(axis=-1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_walk_gives_no_edge(seed):
    evaluation, tests = evaluated(random_walk(seed=seed))
    price, spread = tests["naive", "absolute error", 1], tests["constant", "pinball", 1]
    assert price["low"] < 1 < price["high"]
    assert abs(price["ratio"] - 1) < 0.005
    assert price["p_value"] > 0.05
    assert spread["high"] > 1
    assert evaluation["verdict"] != "edge"


@pytest.mark.parametrize("seed", SEEDS)
def test_volatility_that_can_be_known_gives_most_of_the_oracles_advantage(seed):
    prices, sigma = garch_walk(seed=seed)  # 8 seeds: 0.86 to 0.99 of the advantage
    cases, ours, flat = trained_and_constant(prices)
    mine, without = (first_losses(cases, one.quantiles[:, 0]).mean() for one in (ours, flat))
    oracle = first_losses(cases, oracle_quantiles(cases, sigma, LEVELS)).mean()
    assert oracle < without
    assert (without - mine) / (without - oracle) > 0.6


@pytest.mark.parametrize("seed", SEEDS)
def test_shuffled_returns_give_nothing(seed):
    cases, ours, flat = trained_and_constant(shuffled(garch_walk(seed=seed)[0], seed))
    spread = compare(
        first_losses(cases, ours.quantiles[:, 0]), first_losses(cases, flat.quantiles[:, 0]), cases.cutoffs, 1
    )
    assert spread["high"] > 1
    assert spread["ratio"] > 0.995
