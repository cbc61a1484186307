"""Drift over the scores tables of many evenings: the last sixty sessions, each forecast once."""

import numpy as np
import pandas as pd
import pytest

from lambda_fn.batch import records, score_table
from lambda_fn.tables.store import open_store

pytestmark = pytest.mark.slow

DAYS = [str(day.date()) for day in pd.bdate_range("2026-11-02", periods=3)]


def rows(days, step=1, **columns):
    """Scores as a table, one a day, for `drift` and `read_scores`."""
    count = len(days)
    told = {
        "series": 10, "mae": 0.01, "mae_naive": 0.01, "pinball": 0.003, "coverage-80": 0.8, "coverage-95": 0.95,
    } | columns  # fmt: skip
    made = {name: np.broadcast_to(np.asarray(value), (count,)).copy() for name, value in told.items()}
    return {"ds": np.array(days, "datetime64[D]"), "step": np.full(count, step)} | made


def test_drift_pools_by_the_number_of_forecasts():
    told = {"series": [1, 3], "mae": [0.04, 0.02], "mae_naive": [0.02, 0.04], "pinball": [0.1, 0.2]}
    found = score_table.drift(rows(DAYS[:2], **told, **{"coverage-80": [1.0, 0.5]}))
    assert (found.sessions, found.series) == (2, 4)
    assert found.ratio_to_naive == pytest.approx((0.04 + 0.06) / (0.02 + 0.12))
    assert found.pinball == pytest.approx((0.1 + 0.6) / 4)
    assert found.coverage == pytest.approx({"80": (1 + 1.5) / 4, "95": 0.95})


def test_drift_is_of_one_step_or_of_all():
    both = {name: np.concatenate([rows(DAYS[:2], 1)[name], rows(DAYS[:2], 2, mae=0.03)[name]]) for name in rows(DAYS)}
    assert score_table.drift(both, 1).ratio_to_naive == pytest.approx(1)
    assert score_table.drift(both, 2).ratio_to_naive == pytest.approx(3)
    assert score_table.drift(both).ratio_to_naive == pytest.approx(2)
    assert score_table.drift(both).series == 40
    assert score_table.drift(both, 3) is None
    assert score_table.drift({}) is None


def test_a_level_that_only_some_runs_have_is_pooled_over_those():
    found = score_table.drift(rows(DAYS[:2], **{"coverage-50": [np.nan, 0.4]}))
    assert found.coverage["50"] == pytest.approx(0.4)


def test_without_a_move_anywhere_the_ratio_is_no_number():
    assert np.isnan(score_table.drift(rows(DAYS[:2], mae_naive=0.0)).ratio_to_naive)


def score(day, step=1, **more):
    told = {
        "as_of": day, "run": "r", "model_version": "v", "model_digest": "d", "step": step, "ds": day, "series": 10,
        "absolute_error": 0.1, "naive_absolute_error": 0.1, "pinball": 0.03, "covered": {"80": 8},
    } | more  # fmt: skip
    return records.Score(**told)


def test_scores_are_read_over_the_last_sixty_sessions(tmp_path):
    store = open_store(str(tmp_path))
    many = [str(day.date()) for day in pd.bdate_range("2026-01-01", periods=70)]
    for number, day in enumerate(many):
        score_table.write_scores(store, day, [score(day, series=number + 1)])
    found = score_table.read_scores(store)
    assert found["ds"].astype("datetime64[D]").astype(str).tolist() == many[-60:]
    assert score_table.drift(found).sessions == 60
    assert score_table.drift(found).series == sum(range(11, 71))
    early = score_table.read_scores(store, many[20])
    assert early["ds"].astype("datetime64[D]").astype(str).tolist() == many[:21]


def test_an_evening_that_caught_up_counts_for_each_session_it_scored(tmp_path):
    store = open_store(str(tmp_path))
    many = [str(day.date()) for day in pd.bdate_range("2026-01-01", periods=64)]
    score_table.write_scores(store, many[-1], [score(day) for day in many])
    assert score_table.drift(score_table.read_scores(store)).sessions == 60


def test_scores_of_different_levels_are_read_together(tmp_path):
    store = open_store(str(tmp_path))
    score_table.write_scores(store, DAYS[0], [score(DAYS[0])])
    score_table.write_scores(store, DAYS[1], [score(DAYS[1], covered={"50": 5, "80": 9}), score(DAYS[1], step=2)])
    found = score_table.read_scores(store)
    assert score_table.drift(found).coverage == pytest.approx({"50": 0.5, "80": 25 / 30})


def test_what_two_evenings_scored_counts_once(tmp_path):
    store = open_store(str(tmp_path))
    score_table.write_scores(store, DAYS[1], [score(DAYS[1])])
    score_table.write_scores(store, DAYS[2], [score(DAYS[1], series=99), score(DAYS[2])])
    assert score_table.drift(score_table.read_scores(store)).series == 99 + 10  # as the later one saw it


def test_without_scores_there_are_none(tmp_path):
    assert score_table.read_scores(open_store(str(tmp_path))) == {}
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "notes.txt").write_text("x")
    assert score_table.read_scores(open_store(str(tmp_path))) == {}
