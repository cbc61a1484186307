"""Batch equals online: a row of the table and the API's answer to the same closes are the same numbers."""

import json

import numpy as np
import pandas as pd
import pytest

from lambda_fn.api.handler import handler
from lambda_fn.batch import forecast
from lambda_fn.batch.served_model import forecaster
from tests.lambda_fn.batch import oracle
from tests.lambda_fn.batch.market import DAY, hard_windows, one, table
from tests.lambda_fn.batch.runs import run
from tests.lambda_fn.conftest import Context, event

pytestmark = pytest.mark.slow

LEVELS = [50, 80, 95]


@pytest.fixture(scope="module")
def every():
    """Three hundred walks and the hard windows."""
    return pd.concat([table(300, seed=5), *(one(name, closes) for name, closes in hard_windows().items())])


@pytest.fixture(scope="module")
def ran(every, tmp_path_factory):
    folder = tmp_path_factory.mktemp("online")
    every.to_parquet(folder / "prices.parquet", index=False)
    return run(folder / "prices.parquet", folder / "out", calendar="BVMF", series_per_shard=64)


def answered(body):
    found = handler(event(body), Context())
    assert found["statusCode"] == 200, found["body"]
    return json.loads(found["body"])


def differences(rows, steps):
    """Return the largest relative difference between five rows of the table and the five steps of an answer."""
    columns = ["efemera", *(f"efemera-{side}-{level}" for level in LEVELS for side in ("lo", "hi"))]
    online = [[step["median"], *(end for level in LEVELS for end in step["intervals"][str(level)])] for step in steps]
    return np.abs(rows[columns].to_numpy() / np.array(online) - 1)


def test_many_series_get_the_same_forecast_from_both(every, ran):
    _, windows = oracle.last_windows(every, DAY)
    names = sorted(every["unique_id"].unique())
    series = [{"id": name, "prices": window.tolist()} for name, window in zip(names, windows, strict=True)]
    answers = answered({"series": series, "levels": LEVELS, "last_date": DAY, "calendar": "BVMF"})["forecasts"]
    assert len(answers) == len(names) == 300 + len(hard_windows())
    rows, status = dict(list(ran.forecasts.groupby("unique_id"))), ran.status.set_index("unique_id")
    for answer in answers:
        of_batch = rows[answer["id"]]
        assert differences(of_batch, answer["steps"]).max() < 1e-7, answer["id"]
        assert of_batch["ds"].astype(str).tolist() == [step["date"] for step in answer["steps"]]
        assert status["last_price"][answer["id"]] == answer["last_price"]


@pytest.mark.parametrize("name", ["S0000", "S0123", *hard_windows()])
def test_a_request_of_one_series_gets_the_same_forecast(every, ran, name):
    closes = every.loc[every["unique_id"] == name, "y"].tolist()  # all of them: the API takes the last sixty too
    answer = answered({"prices": closes, "levels": LEVELS})
    rows = ran.forecasts[ran.forecasts["unique_id"] == name]
    assert differences(rows, answer["steps"]).max() < 1e-7
    assert abs(rows["efemera"].iloc[0] / answer["predicted_price"] - 1) < 1e-7


def test_every_number_is_bit_equal_to_the_model_s_in_blocks_of_one_size(every, ran):
    expected = oracle.forecasts(every, DAY)
    pd.testing.assert_frame_equal(ran.forecasts[expected.columns], expected, check_exact=True)


@pytest.mark.parametrize("shuffle", range(3))
def test_the_order_of_series_changes_no_bit_of_any(every, shuffle):
    _, windows = oracle.last_windows(every, DAY)
    order = np.random.default_rng(shuffle).permutation(len(windows))
    assert (
        forecast.forecast_windows(forecaster(), windows[order])
        == forecast.forecast_windows(forecaster(), windows)[order]
    ).all()


@pytest.mark.parametrize("count", [0, 1, 2, 47, 48, 49, 95, 96, 97])
def test_how_many_others_there_are_changes_no_bit(every, count):
    _, windows = oracle.last_windows(every, DAY)
    whole = forecast.forecast_windows(forecaster(), windows)
    found = forecast.forecast_windows(forecaster(), windows[:count])
    assert found.shape == (count, 5, 7)
    assert (found == whole[:count]).all()


@pytest.mark.parametrize("series_per_shard", [16, 32, 1000])
def test_how_the_series_are_sharded_changes_no_bit(every, ran, tmp_path, series_per_shard):
    shuffled = every.sample(frac=1, random_state=series_per_shard)
    shuffled.to_parquet(tmp_path / "prices.parquet", index=False, row_group_size=4000)
    found = run(tmp_path / "prices.parquet", tmp_path / "out", calendar="BVMF", series_per_shard=series_per_shard)
    assert found.plan.shard_count != ran.plan.shard_count
    assert found.folder.name != ran.folder.name
    pd.testing.assert_frame_equal(found.forecasts, ran.forecasts, check_exact=True)
    pd.testing.assert_frame_equal(found.status, ran.status, check_exact=True)


def test_a_series_has_the_same_numbers_alone_and_among_others(every, ran, tmp_path):
    for name in ("S0007", "between the ends"):
        every[every["unique_id"] == name].to_parquet(tmp_path / "prices.parquet", index=False)
        alone = run(tmp_path / "prices.parquet", tmp_path / name, calendar="BVMF").forecasts
        among = ran.forecasts[ran.forecasts["unique_id"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, among, check_exact=True)


@pytest.mark.parametrize("factor", [0.001, 3.7, 250.0])
def test_a_price_in_another_currency_gives_the_same_forecast_in_it(every, ran, tmp_path, factor):
    walks = every[every["unique_id"].str.startswith("S")]
    walks.assign(y=walks["y"] * factor).to_parquet(tmp_path / "prices.parquet", index=False)
    found = run(tmp_path / "prices.parquet", tmp_path / "out", calendar="BVMF", series_per_shard=512)
    numbers = list(oracle.QUANTILES)
    expected = ran.forecasts.loc[ran.forecasts["unique_id"].str.startswith("S"), numbers].to_numpy() * factor
    np.testing.assert_allclose(found.forecasts[numbers].to_numpy(), expected, rtol=1e-9)
