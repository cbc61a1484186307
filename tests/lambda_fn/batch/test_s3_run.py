"""A run from and to S3 (moto) is the local one, byte for byte, with the same guarantees."""

import gzip
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from lambda_fn.batch import finish, forecast, plan, records
from lambda_fn.batch.score_table import read_scores, write_scores
from lambda_fn.tables.errors import InputRefused, StoreRefused
from lambda_fn.tables.s3 import client as s3_client
from lambda_fn.tables.store import open_store
from tests.lambda_fn.batch.market import DAY, days
from tests.lambda_fn.batch.runs import asked, contents, forecast_all, told

pytestmark = pytest.mark.slow

EARLIER = str(days(4)[0].date())


def put(bucket, key, content):
    bucket.put_object(Bucket="market", Key=key, Body=content.read_bytes() if isinstance(content, Path) else content)


def finished(prices, out, as_of=DAY, **more):
    place = plan.plan(asked(prices, out, as_of, **{"series_per_shard": 32} | more)).place
    forecast_all(place)
    return place, finish.finish(place)


def objects(bucket, prefix):
    """Every object of a prefix as `contents` tells files."""
    found = {}
    for page in bucket.get_paginator("list_objects_v2").paginate(Bucket="market", Prefix=prefix):
        for entry in page.get("Contents", ()):
            key = entry["Key"].removeprefix(prefix)
            if not key.startswith("work/"):
                found[key] = told(bucket.get_object(Bucket="market", Key=entry["Key"])["Body"].read(), key)
    return found


@pytest.fixture(scope="module")
def local(prices, tmp_path_factory):
    """Every file of two evenings, the second of which scored the first."""
    folder = tmp_path_factory.mktemp("local")
    for day in (EARLIER, DAY):
        finished(prices, folder, day)
    return contents(folder)


@pytest.mark.parametrize("out", ["s3://market/forecasts/", "s3://market", "s3://market/a b/é/x=1"])
def test_the_objects_are_the_files_of_the_local_run(s3, prices, local, out):
    put(s3, "prices/prices.parquet", prices)
    for day in (EARLIER, DAY):
        finished("s3://market/prices/prices.parquet", out, day)
    prefix = out.removeprefix("s3://market").strip("/")
    found = objects(s3, f"{prefix}/" if prefix else "")
    assert {key: value for key, value in found.items() if not key.startswith("prices/")} == local
    assert any(key.startswith("scores/") for key in local)


def test_prices_from_s3_to_a_folder_and_from_a_folder_to_s3(s3, prices, local, tmp_path):
    put(s3, "prices.parquet", prices)
    finished("s3://market/prices.parquet", tmp_path / "out", EARLIER)
    finished(prices, "s3://market/out", EARLIER)
    of_the_first = {key: value for key, value in local.items() if f"/{EARLIER}/" in key}
    assert contents(tmp_path / "out") == objects(s3, "out/") == of_the_first


def test_a_prefix_stands_for_every_price_object_directly_in_it(s3, closes, tmp_path):
    halves = closes["unique_id"] < "S0020"
    for key, rows in (("day/a.csv", closes[halves]), ("day/b.csv.gz", closes[~halves]), ("day/deeper/c.csv", closes)):
        content = rows.to_csv(index=False).encode()
        put(s3, key, gzip.compress(content) if key.endswith(".gz") else content)
    put(s3, "day/notes.txt", b"no prices")
    put(s3, "day.csv", b"no prices")
    put(s3, "day/", b"")  # what the console calls a folder
    for place in ("s3://market/day/", "s3://market/day", "S3://market/day/"):
        answer = plan.plan(asked(place, tmp_path / "out"))
        assert answer.series == 40
        found = records.read_plan(answer.place, answer.place.out_store()).inputs
        assert [file.name for file in found] == ["a.csv", "b.csv.gz"]


def test_more_objects_than_one_page_lists_are_all_read(s3, closes, tmp_path):
    for name, rows in closes.groupby("unique_id"):
        put(s3, f"day/{name}.csv", rows.to_csv(index=False).encode())
    events = s3_client().meta.events
    events.register("before-parameter-build.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=7))
    assert plan.plan(asked("s3://market/day/", tmp_path / "out")).series == 40


def test_yahoo_s_layout_is_named_by_its_object(s3, closes, tmp_path):
    rows = closes[closes["unique_id"] == "S0000"]
    made = pd.DataFrame({"Date": rows["ds"]} | dict.fromkeys(("Open", "High", "Low", "Close"), rows["y"]))
    for key in ("yahoo/PETR4.SA.csv", "yahoo/VALE3.yahoo.csv", "yahoo/%5EBVSP.csv", "yahoo/a b'c.csv"):
        put(s3, key, made.to_csv(index=False).encode())
    place, success = finished("s3://market/yahoo/", tmp_path / "out")
    names = pd.read_parquet(Path(place.out) / place.folder / "status")["unique_id"]
    assert sorted(names) == ["%5EBVSP", "PETR4.SA", "VALE3", "a b'c"]
    assert success.forecast == 4


def test_keys_that_would_be_one_path_or_none_are_read_apart(s3, closes, tmp_path):
    long = "n" * 300
    keys = ["d/b.csv", "d//b.csv", "/b.csv", "../../b.csv", "b.csv", "d/b.csv/b.csv", f"{long}.csv", "C:\\b.csv"]
    assert read(s3, closes, keys, tmp_path) == len(keys)


def read(s3, closes, keys, tmp_path):
    """Count the series of a plan when each object holds another one."""
    for key, (_, rows) in zip(keys, closes.groupby("unique_id"), strict=False):
        put(s3, key, rows.to_csv(index=False).encode())
    return plan.plan(asked([f"s3://market/{key}" for key in keys], tmp_path / "out")).series


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("s3://market/none.csv", "s3://market/none.csv: no such object"),
        (
            "s3://market/none/",
            "s3://market/none/: no object directly under this prefix ends in .csv, .csv.gz or .parquet",
        ),
    ],
)
def test_what_is_not_there_is_said(s3, tmp_path, place, words):  # noqa: ARG001 - the bucket is there
    with pytest.raises(InputRefused) as caught:
        plan.plan(asked(place, tmp_path / "out"))
    assert str(caught.value) == words
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_said(prices, tmp_path):
    with pytest.raises(StoreRefused, match=r"s3://elsewhere/day: can't be listed \(no such bucket\)"):
        plan.plan(asked("s3://elsewhere/day/", tmp_path / "out"))
    with pytest.raises(StoreRefused, match=r"s3://elsewhere/out/.*: can't be (read|written) \(no such bucket\)"):
        plan.plan(asked(prices, "s3://elsewhere/out"))


@pytest.mark.parametrize("key", ["cut.parquet", "cut.csv.gz", "empty.csv"])
def test_a_damaged_object_is_named_by_its_key(s3, prices, tmp_path, key):
    content = {"cut.parquet": prices.read_bytes()[:-9], "cut.csv.gz": gzip.compress(b"x" * 99)[:-3], "empty.csv": b""}
    put(s3, key, content[key])
    with pytest.raises(InputRefused, match=f"^s3://market/{key}: (empty|the (Parquet|gzip) data is cut short)"):
        plan.plan(asked(f"s3://market/{key}", tmp_path / "out"))


def test_the_handlers_hand_each_other_all_they_need(s3, prices, local, capsys):
    put(s3, "prices/prices.parquet", prices)
    settings = {
        "prices": "s3://market/prices/",
        "out": "s3://market/forecasts",
        "work": "s3://market/work/of/batch/",
        "series_per_shard": 32,
    }
    for day in (EARLIER, DAY):
        answer = plan.handler({"settings": settings, "input": {"as_of": day}, "waited": 0}, None)
        assert answer["items"] == {
            "bucket": "market",
            "key": f"work/of/batch/{day}/{answer['place']['run']}/shards.json",
        }
        body = s3.get_object(Bucket="market", Key=answer["items"]["key"])["Body"].read()
        items = msgspec.json.decode(body)
        assert items == [{"shard": 0}, {"shard": 1}]
        for item in items:
            counted = forecast.handler({"place": answer["place"], "shard": item["shard"]}, None)
            assert counted["shard"] == item["shard"]
            assert set(counted["counts"]) == {"forecast"}
        assert finish.handler({"place": answer["place"]}, None)["forecast"] == 40
    assert objects(s3, "forecasts/") == local
    capsys.readouterr()


def test_a_rerun_on_s3_writes_nothing(s3, prices):
    finished(prices, "s3://market/out")
    before = s3.list_objects_v2(Bucket="market")["Contents"]
    answer = plan.plan(asked(prices, "s3://market/out", series_per_shard=32))
    assert answer.state == "done"
    forecast.forecast_shard(answer.place, 0)
    finish.finish(answer.place)
    after = s3.list_objects_v2(Bucket="market")["Contents"]
    assert [(one["Key"], one["LastModified"]) for one in after] == [(one["Key"], one["LastModified"]) for one in before]


def test_scores_are_read_from_s3_as_from_a_folder(s3, tmp_path):
    for day in (EARLIER, DAY):
        score = records.Score(EARLIER, "r", "v", "d", 1, day, 3, 0.1, 0.2, 0.3, {"80": 2})
        write_scores(open_store(str(tmp_path)), day, [score])
        put(s3, f"out/scores/{day}.parquet", tmp_path / "scores" / f"{day}.parquet")
    of_s3, of_folder = read_scores(open_store("s3://market/out")), read_scores(open_store(str(tmp_path)))
    assert of_s3.keys() == of_folder.keys()
    assert all((of_s3[name] == of_folder[name]).all() for name in of_s3)
    assert len(of_s3["ds"]) == 2
