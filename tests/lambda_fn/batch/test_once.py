"""Exactly once over at-least-once: what is run twice, at once or again gives the same bytes, all of them whole."""

import hashlib
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from lambda_fn.batch import finish, forecast, plan, served_model
from lambda_fn.tables.store import LocalStore
from tests.lambda_fn.batch.market import days
from tests.lambda_fn.batch.runs import asked, contents, forecast_all, path_of, run, shards_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, prices):
    """Every file of a run that nothing went wrong with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(prices, folder)
    return contents(folder)


@pytest.fixture
def planned(prices, tmp_path):
    return plan.plan(asked(prices, tmp_path / "out")).place


def test_the_same_prices_day_and_model_are_the_same_run_with_the_same_bytes(prices, tmp_path, undisturbed):
    assert len(undisturbed) == 4 * 3 + 2
    run(prices, tmp_path / "out")
    assert contents(tmp_path / "out") == undisturbed


def test_a_copy_of_the_prices_elsewhere_is_the_same_run(prices, tmp_path, undisturbed):
    (tmp_path / prices.name).write_bytes(prices.read_bytes())
    run(tmp_path / prices.name, tmp_path / "out")
    assert contents(tmp_path / "out") == undisturbed


def test_anything_else_is_another_run(closes, prices, tmp_path, other_model, monkeypatch):
    closes.assign(y=closes["y"] + 1e-9).to_parquet(tmp_path / "prices.parquet", index=False)
    closes.to_parquet(tmp_path / "another name.parquet", index=False)
    known = {plan.plan(asked(prices, tmp_path / "out")).place.folder}
    for others in (
        asked(tmp_path / "prices.parquet", tmp_path / "out"),
        asked(tmp_path / "another name.parquet", tmp_path / "out"),  # a reason names its file
        asked(prices, tmp_path / "out", "2026-11-18"),
        asked(prices, tmp_path / "out", calendar="BVMF"),
        asked(prices, tmp_path / "out", stale_after=6),
        asked(prices, tmp_path / "out", series_per_shard=17),
    ):
        known.add(plan.plan(others).place.folder)
    with monkeypatch.context() as patch:
        patch.setattr(plan, "HASH", "duckdb 0.0.1")  # series would be in other shards
        known.add(plan.plan(asked(prices, tmp_path / "out")).place.folder)
    served_model.serve_model(other_model)
    known.add(plan.plan(asked(prices, tmp_path / "out")).place.folder)
    assert len(known) == 9


def test_the_plan_of_a_plan_made_twice_is_the_first_one(prices, planned):
    before = (path_of(planned) / "plan.json").read_bytes()
    assert plan.plan(asked(prices, planned.out)).place == planned
    assert (path_of(planned) / "plan.json").read_bytes() == before


def test_the_plan_of_a_plan_made_twice_is_the_first_one_whatever_came_between(prices, planned):
    before = (path_of(planned) / "plan.json").read_bytes()
    run(prices, planned.out, str(days(3)[0].date()))  # an evening that a later plan would score
    assert plan.plan(asked(prices, planned.out)).place == planned
    assert (path_of(planned) / "plan.json").read_bytes() == before


def test_a_shard_run_twice_is_done_once(planned):
    [first, *_] = shards_of(planned)
    done = forecast.forecast_shard(planned, first)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in path_of(planned).rglob("*.*")}
    assert forecast.forecast_shard(planned, first) == done
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in path_of(planned).rglob("*.*")} == before


def test_a_rerun_skips_what_is_done_and_does_the_rest(prices, planned, undisturbed, monkeypatch):
    for number in shards_of(planned)[:2]:
        forecast.forecast_shard(planned, number)
    ran = []
    true = forecast.forecast_windows
    monkeypatch.setattr(
        forecast, "forecast_windows", lambda model, closes: ran.append(len(closes)) or true(model, closes)
    )
    run(prices, planned.out)
    assert len(ran) == 2  # of four
    assert contents(planned.out) == undisturbed


def test_a_finished_run_is_found_and_left_as_it_is(prices, tmp_path):
    ran = run(prices, tmp_path / "out")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in ran.folder.rglob("*.*")}
    work = sorted((tmp_path / "out" / "work").rglob("*"))
    answer = plan.plan(asked(prices, tmp_path / "out"))
    assert (answer.state, answer.place) == ("done", ran.place)
    assert finish.finish(ran.place) == ran.success
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in ran.folder.rglob("*.*")} == before
    assert sorted((tmp_path / "out" / "work").rglob("*")) == work


@pytest.mark.parametrize("table_", ["forecasts", "status"])
def test_a_part_that_another_worker_has_put_stays_and_is_what_the_mark_vouches_for(planned, table_):
    part = path_of(planned) / table_ / "part-00001.parquet"
    part.parent.mkdir()
    part.write_bytes(b"the other worker's")
    done = forecast.forecast_shard(planned, 1)
    assert part.read_bytes() == b"the other worker's"
    assert getattr(done, f"{table_}_sha256") == hashlib.sha256(b"the other worker's").hexdigest()


def test_workers_of_one_shard_at_once_make_one_result(planned, undisturbed, monkeypatch):
    at_once, started = 4, threading.Barrier(4, timeout=30)
    read = LocalStore.read

    def all_find_it_undone(self, key):
        if "/done/" in key:
            started.wait()
            return None
        return read(self, key)

    for number in shards_of(planned):
        with monkeypatch.context() as patch, ThreadPoolExecutor(at_once) as pool:
            patch.setattr(LocalStore, "read", all_find_it_undone)
            marks = list(pool.map(lambda _, number=number: forecast.forecast_shard(planned, number), range(at_once)))
        assert len({(mark.forecasts_sha256, mark.status_sha256) for mark in marks}) == 1
    finish.finish(planned)
    assert contents(planned.out) == undisturbed


def test_processes_at_the_same_shards_at_once_make_one_result(planned, undisturbed):
    pairs = [(planned, number) for number in shards_of(planned)] * 3
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(forecast.forecast_shard, pairs, chunksize=1)
    finish.finish(planned)
    assert contents(planned.out) == undisturbed


def test_finishing_twice_at_once_signs_once(planned, monkeypatch):
    forecast_all(planned)
    started = threading.Barrier(3, timeout=30)
    read = LocalStore.read

    def nobody_has_signed(self, key):
        found = read(self, key)
        if key.endswith("_SUCCESS.json") and found is None:
            started.wait()
        return found

    monkeypatch.setattr(LocalStore, "read", nobody_has_signed)
    with ThreadPoolExecutor(3) as pool:
        signed = list(pool.map(lambda _: finish.finish(planned), range(3)))
    assert signed[0] == signed[1] == signed[2]


def test_plans_made_at_once_are_one(prices, tmp_path, undisturbed):
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: plan.plan(asked(prices, tmp_path / "out")), range(3)))
    assert len({answer.place.folder for answer in answers}) == 1
    forecast_all(answers[0].place)
    finish.finish(answers[0].place)
    assert contents(tmp_path / "out") == undisturbed


def test_rows_in_another_order_give_the_same_tables(closes, tmp_path):
    tables = []
    for seed in range(3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        shuffled = closes.sample(frac=1, random_state=seed)
        shuffled.to_parquet(folder / "prices.parquet", index=False, row_group_size=100)
        tables.append(run(folder / "prices.parquet", folder / "out"))
    for ran in tables[1:]:
        pd.testing.assert_frame_equal(ran.forecasts, tables[0].forecasts, check_exact=True)
        pd.testing.assert_frame_equal(ran.status, tables[0].status, check_exact=True)


def test_no_file_of_a_run_is_hidden_temporary_or_unreadable_to_others(prices, tmp_path):
    ran = run(prices, tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".parquet"}
    assert not [path for path in files if path.name.startswith(".")]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
    parts = [f"part-{shard.number:05}.parquet" for shard in ran.plan.shards]
    assert sorted(path.name for path in (ran.folder / "forecasts").iterdir()) == parts
    assert sorted(path.name for path in (ran.folder / "status").iterdir()) == parts
