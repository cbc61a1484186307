"""`finish` proves that every series came out exactly once; each way to break that is refused by name, unsigned."""

import hashlib
import json
import shutil
from pathlib import Path

import duckdb
import msgspec
import pandas as pd
import pyarrow.parquet as pq
import pytest

from lambda_fn import MODELS
from lambda_fn.batch import finish, plan, served_model
from lambda_fn.batch.errors import BatchRefused, Incomplete
from lambda_fn.batch.records import Place
from tests.lambda_fn.batch.market import one
from tests.lambda_fn.batch.runs import asked, contents, forecast_all, run

FIRST = "(SELECT min(unique_id) FROM part)"


@pytest.fixture(scope="module")
def forecast(closes, tmp_path_factory):
    """Make a run with one refused series whose shards are all done, and which is not finished."""
    folder = tmp_path_factory.mktemp("proof")
    pd.concat([closes, one("short", [1.0, 2.0])]).to_parquet(folder / "prices.parquet", index=False)
    place = plan.plan(asked(folder / "prices.parquet", folder / "out")).place
    forecast_all(place)
    return place


class Broken:
    """Copy that run, to be broken."""

    def __init__(self, place):
        self.place = place
        self.folder = Path(place.out) / place.folder
        self.numbers = sorted(int(path.stem) for path in (self.folder / "done").iterdir())

    def part(self, table, number):
        return self.folder / table / f"part-{number:05}.parquet"

    def mark(self, number):
        return self.folder / "done" / f"{number:05}.json"

    def rewrite(self, table, number, query):
        """Replace a part by what a query of it (as `part`) gives, and let the mark vouch for that."""
        path = self.part(table, number)
        with duckdb.connect() as database:
            database.execute(f"CREATE TABLE part AS FROM '{path}'")
            pq.write_table(database.sql(query).to_arrow_table(), path)
        self.vouch(number)

    def vouch(self, number):
        """Let the mark of a shard name the parts that stand there."""
        told = json.loads(self.mark(number).read_text())
        for table in ("forecasts", "status"):
            with self.part(table, number).open("rb") as file:
                told[f"{table}_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        self.mark(number).write_text(json.dumps(told))

    def refusal(self, error=Incomplete):
        before = contents(self.place.out)
        with pytest.raises(BatchRefused) as caught:
            finish.finish(self.place)
        assert caught.type is error
        assert contents(self.place.out) == before  # neither signed nor scored
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def broken(forecast, tmp_path):
    shutil.copytree(forecast.out, tmp_path / "out")
    return Broken(msgspec.structs.replace(forecast, out=str(tmp_path / "out"), work=str(tmp_path / "out" / "work")))


def test_what_is_whole_is_signed(broken):
    success = finish.finish(broken.place)
    assert (success.series, success.forecast, success.refused) == (41, 40, {"too short": 1})
    assert (broken.folder / "_SUCCESS.json").exists()


def test_a_shard_that_is_not_done_is_named(broken):
    broken.mark(broken.numbers[1]).unlink()
    assert broken.refusal() == f"1 of 4 shards are not done: {broken.numbers[1]}; start the run again"
    for number in broken.numbers:
        broken.mark(number).unlink(missing_ok=True)
    assert broken.refusal() == "4 of 4 shards are not done: 0, 1, 2, 3; start the run again"


@pytest.mark.parametrize("table", ["forecasts", "status"])
def test_a_part_that_is_gone_is_named(broken, table):
    broken.part(table, 2).unlink()
    assert broken.refusal() == (
        f"1 of 4 shards are not whole; the first: {broken.place.folder}{table}/part-00002.parquet is gone"
    )


@pytest.mark.parametrize("table", ["forecasts", "status"])
@pytest.mark.parametrize("change", ["one bit", "cut short", "empty", "of another shard", "of another model"])
def test_a_part_that_is_not_the_worker_s_is_named(broken, table, change, prices, tmp_path, other_model):
    path = broken.part(table, 1)
    content = bytearray(path.read_bytes())
    if change == "one bit":
        content[len(content) // 2] ^= 1
    elif change == "cut short":
        del content[-100:]
    elif change == "empty":
        content.clear()
    elif change == "of another shard":
        content = broken.part(table, 3).read_bytes()
    else:
        served_model.serve_model(other_model)
        content = (run(prices, tmp_path / "other").folder / table / path.name).read_bytes()
        served_model.serve_model(MODELS)
    path.write_bytes(content)
    assert broken.refusal() == (
        f"1 of 4 shards are not whole; the first: {broken.place.folder}{table}/part-00001.parquet is not the file "
        "that its worker wrote"
    )


def fault(broken, number, words):
    name = f"{broken.place.out}/{broken.place.folder}*/part-{number:05}.parquet"
    return f"1 of 4 shards are not whole; the first: {name}: {words}"


def series(broken, number):
    return len(pd.read_parquet(broken.part("status", number)))


def test_a_series_lost_from_the_status_is_told(broken):
    count = series(broken, 1)
    broken.rewrite("status", 1, "SELECT * FROM part ORDER BY unique_id LIMIT -1 + (SELECT count(*) FROM part)")
    assert broken.refusal() == fault(
        broken, 1, f"{count - 1} rows of {count - 1} series came out, {count} series went in, or others did"
    )


def test_a_series_that_is_there_twice_is_told(broken):
    count = series(broken, 1)
    broken.rewrite("status", 1, "FROM part UNION ALL (FROM part ORDER BY unique_id LIMIT 1)")
    assert broken.refusal() == fault(
        broken, 1, f"{count + 1} rows of {count} series came out, {count} series went in, or others did"
    )


def test_one_series_in_the_place_of_another_is_told(broken):
    count = series(broken, 1)
    stranger = pd.read_parquet(broken.part("status", 2))["unique_id"].iloc[0]
    for table in ("status", "forecasts"):
        broken.rewrite(
            table,
            1,
            f"SELECT * REPLACE (CASE WHEN unique_id = (SELECT min(unique_id) FROM part) THEN '{stranger}' "
            "ELSE unique_id END AS unique_id) FROM part",
        )
    assert broken.refusal() == fault(
        broken, 1, f"{count} rows of {count} series came out, {count} series went in, or others did"
    )


def test_one_series_in_the_place_of_another_of_the_same_shard_is_told(broken):
    count = series(broken, 1)
    names = "SELECT 'stranger ' || n AS name FROM range(100) AS t(n)"
    [(stranger, *_)] = duckdb.sql(f"SELECT min(name) FROM ({names}) WHERE hash(name) & 3 = 1").fetchall()
    for table in ("status", "forecasts"):
        named = f"CASE WHEN unique_id = {FIRST} THEN '{stranger}' ELSE unique_id END AS unique_id"
        broken.rewrite(table, 1, f"SELECT * REPLACE ({named}) FROM part")
    assert broken.refusal() == fault(
        broken, 1, f"{count} rows of {count} series came out, {count} series went in, or others did"
    )


def test_the_parts_of_two_shards_swapped_with_their_marks_are_told(broken):
    for table in ("forecasts", "status"):
        first, second = broken.part(table, 1), broken.part(table, 2)
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)
    for number in (1, 2):
        broken.vouch(number)
    assert broken.refusal().startswith("2 of 4 shards are not whole; the first: ")


PARTIAL = "1 series have not one forecast of each step just where they should"


@pytest.mark.parametrize(
    "query",
    [
        f"FROM part WHERE NOT (unique_id = {FIRST} AND step = 3)",
        f"FROM part WHERE NOT (unique_id = {FIRST} AND step = 5)",
        f"FROM part WHERE unique_id <> {FIRST}",
        f"FROM part UNION ALL (FROM part WHERE unique_id = {FIRST} AND step = 2)",
        f"SELECT * REPLACE (CASE WHEN unique_id = {FIRST} AND step = 2 THEN 3 ELSE step END AS step) FROM part",
        f"SELECT * REPLACE (CASE WHEN unique_id = {FIRST} THEN step + 1 ELSE step END AS step) FROM part",
        f"FROM part UNION ALL SELECT * REPLACE ('unknown' AS unique_id) FROM part WHERE unique_id = {FIRST}",
    ],
)
def test_a_forecast_that_is_not_one_of_each_step_is_told(broken, query):
    broken.rewrite("forecasts", 1, query)
    assert broken.refusal() == fault(broken, 1, PARTIAL)


def test_a_forecast_of_a_refused_series_is_told(broken):
    [number] = [n for n in broken.numbers if "short" in set(pd.read_parquet(broken.part("status", n))["unique_id"])]
    broken.rewrite(
        "forecasts",
        number,
        f"FROM part UNION ALL SELECT * REPLACE ('short' AS unique_id) FROM part WHERE unique_id = {FIRST}",
    )
    assert broken.refusal() == fault(broken, number, PARTIAL)


def test_a_shard_done_by_another_model_is_told(broken):
    told = json.loads(broken.mark(1).read_text())
    broken.mark(1).write_text(json.dumps(told | {"model_digest": "0123456789ab"}))
    assert broken.refusal() == (
        f"1 of 4 shards are not whole; the first: {broken.place.out}/{broken.place.folder}*/part-00001.parquet is of "
        f"model 0123456789ab, the run of {broken.place.run[-12:]}"
    )


def test_a_mark_in_the_place_of_another_is_told(broken):
    broken.mark(1).write_bytes(broken.mark(2).read_bytes())
    assert broken.refusal() == (
        f"1 of 4 shards are not whole; the first: {broken.place.folder}forecasts/part-00001.parquet is not the file "
        "that its worker wrote"
    )


def test_a_run_that_is_not_there_is_told(tmp_path):
    place = Place(str(tmp_path), str(tmp_path), "2026-11-19", "none")
    with pytest.raises(BatchRefused, match="runs/2026-11-19/none/plan.json: there is no such run"):
        finish.finish(place)


def test_a_plan_of_another_version_is_told(broken):
    path = broken.folder / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))
    assert broken.refusal(BatchRefused) == f"{broken.place.out}/{broken.place.folder}plan.json: schema version 2"


def test_every_fault_is_counted_and_the_first_is_named(broken):
    for number in (1, 3):
        broken.part("status", number).unlink()
    assert broken.refusal() == (
        f"2 of 4 shards are not whole; the first: {broken.place.folder}status/part-00001.parquet is gone"
    )


def test_once_repaired_the_same_run_is_signed(broken, forecast):
    path = broken.part("status", 1)
    path.unlink()
    broken.refusal()
    shutil.copy(Broken(forecast).part("status", 1), path)
    assert finish.finish(broken.place).series == 41
