"""An evening scores each finished earlier run once, whoever made it and however it was cut."""

import contextlib
import json

import pandas as pd
import pytest

from lambda_fn.batch import plan, served_model
from lambda_fn.batch.errors import BatchRefused
from tests.lambda_fn.batch import oracle
from tests.lambda_fn.batch.conftest import MODELS
from tests.lambda_fn.batch.evenings import DAYS, held
from tests.lambda_fn.batch.market import table
from tests.lambda_fn.batch.runs import asked, contents, forecast_all

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def closes():
    return table(20, 90, DAYS[-1], seed=11)


def test_a_missed_evening_is_caught_up_by_the_next(evenings, closes):
    closes = closes[(closes["unique_id"] != "S0003") | (closes["ds"] != DAYS[3])]  # so that steps fall on two days
    for day in (*DAYS[:3], *DAYS[5:7]):
        evenings.run(day, closes)
    assert evenings.scored == [DAYS[1], DAYS[2], DAYS[5], DAYS[6]]
    expected = oracle.scores(evenings.made(*DAYS[:3]), closes[closes["ds"] <= DAYS[5]], DAYS[2])
    held(evenings.scores(DAYS[5]), expected)
    assert set(evenings.scores(DAYS[5])["ds"]) == {pd.Timestamp(day) for day in DAYS[3:6]}
    every = pd.concat([evenings.scores(day) for day in evenings.scored])
    assert not every.duplicated(["as_of", "step", "ds"]).any()
    assert every.groupby(["as_of", "step"])["series"].sum().max() == 20


def test_a_rerun_of_the_same_evening_does_not_score_twice(evenings, closes):
    for day in DAYS[:3]:
        evenings.run(day, closes)
    before = contents(evenings.folder / "out")
    evenings.run(DAYS[2], closes)
    assert contents(evenings.folder / "out").items() >= before.items()
    evenings.run(DAYS[3], closes)
    assert evenings.scored == DAYS[1:4]
    assert evenings.scores(DAYS[3])["as_of"].tolist() == [pd.Timestamp(day) for day in DAYS[:3]]


def test_a_corrected_run_of_the_same_evening_replaces_its_scores(evenings, closes):
    for day in DAYS[:3]:
        evenings.run(day, closes)
    first = evenings.scores(DAYS[2])
    right = closes.assign(y=closes["y"].where(closes["ds"] != DAYS[2], closes["y"] * 1.01))
    evenings.run(DAYS[2], right)
    assert evenings.scored == DAYS[1:3]
    assert (evenings.scores(DAYS[2])["mae_naive"] != first["mae_naive"]).all()
    held(evenings.scores(DAYS[2]), oracle.scores(evenings.made(*DAYS[:2]), right[right["ds"] <= DAYS[2]], DAYS[1]))


def test_of_two_runs_of_one_evening_the_one_finished_last_is_scored(evenings, closes):
    runs = [evenings.run(DAYS[0], closes).place.run]
    while runs[-1] >= runs[0]:  # until the last one's name is not the last one
        runs.append(evenings.run(DAYS[0], closes.assign(y=closes["y"] * (len(runs) + 1))).place.run)
    evenings.run(DAYS[1], closes)
    assert evenings.scores(DAYS[1])["run"].tolist() == [runs[-1]]


def test_a_run_that_was_never_finished_is_not_scored(evenings, closes):
    path = evenings.folder / "prices.parquet"
    closes[closes["ds"] <= DAYS[0]].to_parquet(path, index=False)
    forecast_all(plan.plan(asked(path, evenings.folder / "out", DAYS[0])).place)
    evenings.run(DAYS[1], closes)
    assert evenings.scored == []


@pytest.mark.parametrize(("before", "after"), [(16, 100_000), (100_000, 16), (16, 32)])
def test_runs_of_different_shards_are_scored_alike(evenings, closes, before, after):
    more = pd.concat([closes, closes.assign(unique_id="T" + closes["unique_id"])])
    evenings.run(DAYS[0], more, series_per_shard=before)
    evenings.run(DAYS[1], more, series_per_shard=after)
    counts = [evenings.runs[day].plan.shard_count for day in DAYS[:2]]
    assert (before == after) == (counts[0] == counts[1])
    expected = oracle.scores(evenings.made(DAYS[0]), more[more["ds"] <= DAYS[1]], DAYS[0])
    held(evenings.scores(DAYS[1]), expected)
    assert evenings.scores(DAYS[1])["series"].tolist() == [40]


def test_a_run_sharded_by_another_hash_is_scored_whole(evenings, closes):
    """As after an upgrade of DuckDB: an id may be in any shard of the earlier run."""
    evenings.run(DAYS[0], closes, series_per_shard=16)
    folder = evenings.runs[DAYS[0]].folder
    parts = sorted((folder / "forecasts").iterdir())
    assert len(parts) > 1
    for table_ in ("forecasts", "status"):  # turn the shards round, as another hash would
        names = sorted(path.name for path in (folder / table_).iterdir())
        held_ = [(folder / table_ / name).read_bytes() for name in names]
        for name, content in zip(names, held_[1:] + held_[:1], strict=True):
            (folder / table_ / name).write_bytes(content)
    evenings.run(DAYS[1], closes, series_per_shard=16)
    assert evenings.scored == []  # of the shards that the hash names none holds these series …
    told = json.loads((folder / "_SUCCESS.json").read_text())
    (folder / "_SUCCESS.json").write_text(json.dumps(told | {"hash": "duckdb 0.0.1"}))
    evenings.run(DAYS[1], closes.assign(y=closes["y"] * 2), series_per_shard=16)
    assert evenings.scores(DAYS[1])["series"].tolist() == [20]  # … and where it is another, all are looked into


def test_another_model_s_run_is_scored_under_its_own_digest(evenings, closes, other_model):
    served_model.serve_model(other_model)
    theirs = evenings.run(DAYS[0], closes)
    served_model.serve_model(MODELS)
    ours = evenings.run(DAYS[1], closes)
    evenings.run(DAYS[2], closes)
    found = evenings.scores(DAYS[2]).set_index("as_of")
    assert found.loc[DAYS[0], "model_digest"] == theirs.success.model_digest
    assert found.loc[DAYS[0], "model_version"] == "other-1"
    assert found.loc[DAYS[1], "model_digest"] == ours.success.model_digest
    held(
        evenings.scores(DAYS[2]),
        oracle.scores(evenings.made(*DAYS[:2]), closes[closes["ds"] <= DAYS[2]], DAYS[1]),
    )


@pytest.mark.parametrize("table_", ["forecasts", "status"])
def test_a_damaged_part_of_an_earlier_run_is_passed_over_or_named(evenings, closes, table_):
    evenings.run(DAYS[0], closes)
    evenings.run(DAYS[1], closes)
    [part] = (evenings.runs[DAYS[0]].folder / table_).iterdir()
    part.write_bytes(part.read_bytes()[:-60] + b"x" * 60)
    with contextlib.suppress(BatchRefused):
        evenings.run(DAYS[2], closes)
        assert evenings.scores(DAYS[2])["as_of"].tolist() == [pd.Timestamp(DAYS[1])]
