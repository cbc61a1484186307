"""A whole run against an S3 (moto) that slows down, loses answers or loses shards."""

import itertools

import pytest

from lambda_fn.batch import errors, finish, forecast, plan
from lambda_fn.tables.errors import StoreUnavailable
from lambda_fn.tables.s3 import client as s3_client
from tests.lambda_fn.batch.runs import asked, contents, forecast_all, run
from tests.lambda_fn.batch.test_s3_run import objects, put
from tests.lambda_fn.tables.s3_faults import slow_down

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(prices, tmp_path_factory):
    """Every file of a run on this machine; the same on S3 has the same bytes (test_s3_run.py)."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(prices, folder, series_per_shard=32)
    return contents(folder)


def outcome(s3, prices):
    """Every object of the same run on S3."""
    place = plan.plan(asked(prices, "s3://market/out", series_per_shard=32)).place
    forecast_all(place)
    finish.finish(place)
    return objects(s3, "out/")


WRITES = 2 + 2 + 2 * 3 + 1  # shards, their list, the plan; each shard's parts and mark; success


def test_a_write_whose_answer_was_lost_is_no_fault(s3, prices, faults, undisturbed):
    """Lose the answer of a put: boto3 tries again and meets its own object (412), as if another worker were first."""
    again = 0  # seconds until the next try
    s3_client().meta.events.register_first(
        "needs-retry.s3.PutObject", lambda attempts, **_: again if attempts == 1 else None
    )
    assert outcome(s3, prices) == undisturbed
    assert faults.calls.count("PutObject") == 2 * WRITES


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "HeadObject", "ListObjectsV2"])
def test_a_whole_run_under_slow_downs_gives_the_same_bytes(s3, prices, faults, undisturbed, operation):
    put(s3, prices.name, prices)
    faults.meet(slow_down, operation, times=2)
    assert outcome(s3, f"s3://market/{prices.name}") == undisturbed
    assert faults.calls.count(operation) > 2


@pytest.mark.parametrize("count", [1, 5, WRITES - 1])
def test_a_run_that_s3_stopped_goes_on_when_it_answers_again(s3, prices, faults, undisturbed, count):
    puts = itertools.count()
    faults.meet(lambda request: slow_down(request) if next(puts) >= count else None, "PutObject")
    with pytest.raises(StoreUnavailable, match=r"s3://market/out/.*: can't be written \(SlowDown no way\)"):
        outcome(s3, prices)
    assert not any(key.endswith("_SUCCESS.json") for key in objects(s3, "out/"))
    faults.stop()
    assert outcome(s3, prices) == undisturbed


def test_a_shard_that_vanishes_between_the_steps_is_named(s3, prices):
    place = plan.plan(asked(prices, "s3://market/out")).place
    s3.delete_object(Bucket="market", Key=f"out/work/{place.shard_key(1)}")
    with pytest.raises(errors.ShardDamaged) as caught:
        forecast.forecast_shard(place, 1)
    assert str(caught.value) == f"s3://market/out/work/{place.shard_key(1)}: the shard is gone; start the run again"


def test_a_shard_that_is_damaged_is_named(s3, prices):
    place = plan.plan(asked(prices, "s3://market/out")).place
    put(s3, f"out/work/{place.shard_key(1)}", b"PAR1 no shard PAR1")
    with pytest.raises(errors.ShardDamaged, match=r"^00001.parquet: the shard can't be read \("):
        forecast.forecast_shard(place, 1)
