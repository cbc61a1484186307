"""Exactly once over at-least-once: what is run twice, at once or again gives the same bytes, all of them whole."""

import itertools
import multiprocessing
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from lambda_fn import batch, batch_run, finish, plan
from lambda_fn.batch_run import BatchRefused, ModelReplaced
from lambda_fn.store import LocalStore
from tests.batch.conftest import MODELS
from tests.batch.market import DAY, days, table
from tests.batch.runs import asked, contents, forecast_all, run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, prices):
    """Every file of a run that nothing went wrong with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(prices, folder)
    return contents(folder)


@pytest.fixture
def planned(prices, tmp_path):
    return plan.plan(asked(prices, tmp_path / "out")).place


def shards_of(place):
    return [shard.number for shard in batch_run.read_plan(place, place.out_store()).shards]


def test_the_same_prices_day_and_model_are_the_same_run_with_the_same_bytes(prices, tmp_path, undisturbed):
    assert len(undisturbed) == 4 * 3 + 2
    run(prices, tmp_path / "out")
    assert contents(tmp_path / "out") == undisturbed


def test_a_copy_of_the_prices_elsewhere_is_the_same_run(prices, tmp_path, undisturbed):
    (tmp_path / prices.name).write_bytes(prices.read_bytes())
    run(tmp_path / prices.name, tmp_path / "out")
    assert contents(tmp_path / "out") == undisturbed


def test_anything_else_is_another_run(closes, prices, tmp_path, other_model):
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
    batch_run.serve_model(other_model)
    known.add(plan.plan(asked(prices, tmp_path / "out")).place.folder)
    assert len(known) == 8


def test_the_plan_of_a_plan_made_twice_is_the_first_one(prices, planned):
    before = (path_of(planned) / "plan.json").read_bytes()
    assert plan.plan(asked(prices, planned.out)).place == planned
    assert (path_of(planned) / "plan.json").read_bytes() == before


def path_of(place):
    return Path(place.out) / place.folder


def test_a_shard_run_twice_is_done_once(planned):
    [first, *_] = shards_of(planned)
    done = batch.forecast_shard(planned, first)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in path_of(planned).rglob("*.*")}
    assert batch.forecast_shard(planned, first) == done
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in path_of(planned).rglob("*.*")} == before


def test_a_rerun_skips_what_is_done_and_does_the_rest(prices, planned, undisturbed, monkeypatch):
    for number in shards_of(planned)[:2]:
        batch.forecast_shard(planned, number)
    ran = []
    forecast = batch.forecast
    monkeypatch.setattr(batch, "forecast", lambda model, closes: ran.append(len(closes)) or forecast(model, closes))
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
            marks = list(pool.map(lambda _, number=number: batch.forecast_shard(planned, number), range(at_once)))
        assert len({(mark.forecasts_sha256, mark.status_sha256) for mark in marks}) == 1
    finish.finish(planned)
    assert contents(planned.out) == undisturbed


def test_processes_at_the_same_shards_at_once_make_one_result(planned, undisturbed):
    pairs = [(planned, number) for number in shards_of(planned)] * 3
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(batch.forecast_shard, pairs, chunksize=1)
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


class Death(BaseException):
    """The process ends here."""


@pytest.fixture
def die(monkeypatch):
    """Let the k-th write of the process be its last: it dies amid it, or right after it."""

    def at(count, how):
        made = itertools.count(1)
        with_patch = monkeypatch.context()
        patch = with_patch.__enter__()

        def deadly(real):
            def write(self, key, content):
                if next(made) != count:
                    return real(self, key, content)
                if how == "amid":  # what a process that is killed leaves behind
                    target = self._root / key
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (target.parent / ".half").write_bytes(b"PAR1 half a file")
                if how == "after":
                    real(self, key, content)
                raise Death

            return write

        for name in ("put", "put_new"):
            patch.setattr(LocalStore, name, deadly(getattr(LocalStore, name)))
        return with_patch, made

    return at


@pytest.fixture(scope="module")
def evening(tmp_path_factory):
    """Prices of forty series in a place where last week's run of them, to be scored tonight, is finished."""
    folder = tmp_path_factory.mktemp("evening")
    table(40).to_parquet(folder / "prices.parquet", index=False)
    earlier = run(folder / "prices.parquet", folder / "before", str(days(6)[0].date()), series_per_shard=64)
    run(folder / "prices.parquet", folder / "undisturbed", str(days(6)[0].date()), series_per_shard=64)
    run(folder / "prices.parquet", folder / "undisturbed", series_per_shard=32)
    assert earlier.success.forecast == 40
    return folder


def copied(evening, to):
    shutil.copytree(evening / "before", to)
    return to


def test_killed_at_any_write_and_run_again_gives_the_same_bytes(evening, tmp_path, die):
    expected = contents(evening / "undisturbed")
    assert any(key.startswith("scores/") for key in expected)
    patch, made = die(-1, "after")
    run(evening / "prices.parquet", copied(evening, tmp_path / "count"), series_per_shard=32)
    patch.__exit__(None, None, None)
    writes = next(made) - 1
    assert writes == 2 + 2 + 2 * 3 + 2  # shards, their list, the plan; each shard's parts and mark; scores, success
    for count, how in [*((count, "amid") for count in range(1, writes + 1)), (writes, "after")]:
        out = copied(evening, tmp_path / f"{count}-{how}")
        patch, _ = die(count, how)
        with pytest.raises(Death):
            run(evening / "prices.parquet", out, series_per_shard=32)
        patch.__exit__(None, None, None)
        signed = (out / "runs" / DAY).exists() and any((out / "runs" / DAY).glob("*/_SUCCESS.json"))
        assert signed == ((count, how) == (writes, "after"))  # what is not whole is not signed
        run(evening / "prices.parquet", out, series_per_shard=32)
        assert contents(out) == expected, (count, how)


def test_killed_again_and_again_it_comes_to_its_end(evening, tmp_path, die):
    out = copied(evening, tmp_path / "out")
    for count in (1, 2, 3, 4, 3, 2, 2, 1):
        patch, _ = die(count, "after")
        with pytest.raises(Death):
            run(evening / "prices.parquet", out, series_per_shard=32)
        patch.__exit__(None, None, None)
    run(evening / "prices.parquet", out, series_per_shard=32)
    assert contents(out) == contents(evening / "undisturbed")


def test_another_model_is_another_folder_and_never_mixes_in(prices, tmp_path, other_model, undisturbed):
    own = run(prices, tmp_path / "out")
    batch_run.serve_model(other_model)
    other = run(prices, tmp_path / "out")
    assert own.folder != other.folder
    assert own.folder.name.split("-")[0] == other.folder.name.split("-")[0]  # the same input
    assert other.success.model_version == "other-1"
    assert (own.forecasts["efemera"] != other.forecasts["efemera"]).all()
    assert {key: value for key, value in contents(tmp_path / "out").items() if own.folder.name in key} == undisturbed


def test_a_worker_with_another_model_refuses_the_shard(planned, other_model):
    batch_run.serve_model(other_model)
    with pytest.raises(ModelReplaced) as caught:
        batch.forecast_shard(planned, shards_of(planned)[0])
    assert str(caught.value) == (
        f"run {DAY}/{planned.run} was planned for model {planned.run[-12:]}, and this worker serves "
        f"{batch_run.model_digest()}; start the run again"
    )
    assert not (path_of(planned) / "forecasts").exists()


def test_finishing_with_another_model_is_refused(planned, other_model):
    forecast_all(planned)
    batch_run.serve_model(other_model)
    with pytest.raises(BatchRefused) as caught:
        finish.finish(planned)
    assert str(caught.value) == f"run {DAY}/{planned.run} was planned for model {planned.run[-12:]}"
    assert not (path_of(planned) / "_SUCCESS.json").exists()


def test_a_model_replaced_between_the_steps_and_back_leaves_no_trace(planned, other_model, undisturbed):
    first, *others = shards_of(planned)
    batch.forecast_shard(planned, first)
    batch_run.serve_model(other_model)
    with pytest.raises(ModelReplaced):
        batch.forecast_shard(planned, others[0])
    batch_run.serve_model(MODELS)
    forecast_all(planned)
    finish.finish(planned)
    assert contents(planned.out) == undisturbed


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
