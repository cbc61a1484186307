"""Series that are refused, shard by shard: what they cost the others of a shard, and how they are counted."""

import itertools

import numpy as np
import pandas as pd

from tests.lambda_fn.batch.market import one, table
from tests.lambda_fn.batch.runs import run
from tests.lambda_fn.batch.test_refusals import GOOD


def test_one_poison_series_in_each_shard_costs_only_itself(closes, prices, tmp_path):
    clean = run(prices, tmp_path / "clean")
    shards = [batch["unique_id"] for batch in parts(clean)]
    assert len(shards) > 2
    poisoned = {names.iloc[0] for names in shards}
    kinds = itertools.cycle([0.0, -1.0, np.nan, 1e13])
    bad = {name: next(kinds) for name in sorted(poisoned)}
    last = closes.groupby("unique_id").tail(1).index
    y = closes["y"].where(~(closes.index.isin(last) & closes["unique_id"].isin(poisoned)), closes["unique_id"].map(bad))
    closes.assign(y=y).to_parquet(tmp_path / "prices.parquet", index=False)
    ran = run(tmp_path / "prices.parquet", tmp_path / "out")
    assert {name for name, (status, _) in ran.reasons.items() if status == "bad price"} == poisoned
    assert ran.success.refused == {"bad price": len(poisoned)}
    expected = clean.forecasts[~clean.forecasts["unique_id"].isin(poisoned)].reset_index(drop=True)
    pd.testing.assert_frame_equal(ran.forecasts, expected, check_exact=True)


def parts(ran):
    return [pd.read_parquet(part) for part in sorted((ran.folder / "status").iterdir())]


def test_a_shard_without_a_good_series_comes_out_beside_others(closes, prices, tmp_path):
    clean = run(prices, tmp_path / "clean")
    ruined = set(parts(clean)[0]["unique_id"])
    closes.assign(y=closes["y"].where(~closes["unique_id"].isin(ruined), 0.0)).to_parquet(
        tmp_path / "prices.parquet", index=False
    )
    ran = run(tmp_path / "prices.parquet", tmp_path / "out")
    assert {name for name, (status, _) in ran.reasons.items() if status == "bad price"} == ruined
    first = pd.read_parquet(sorted((ran.folder / "forecasts").iterdir())[0])
    assert len(first) == 0
    assert list(first) == list(ran.forecasts)


def test_the_counts_are_those_of_the_status_table(tmp_path):
    rows = pd.concat(
        [table(20), *(one(f"short{number}", GOOD[:5]) for number in range(3)), one("old", GOOD, "2025-01-02")]
    )
    rows.to_parquet(tmp_path / "prices.parquet", index=False)
    ran = run(tmp_path / "prices.parquet", tmp_path / "out")
    assert (ran.success.series, ran.success.forecast) == (24, 20)
    assert ran.success.refused == {"stale": 1, "too short": 3}
    assert ran.status["status"].value_counts().to_dict() == {"forecast": 20, "too short": 3, "stale": 1}
