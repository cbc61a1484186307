"""What the export tests share: small made prices, and one small network with something in its weights."""

from __future__ import annotations

import os
import sys
from functools import partial

import boto3
import numpy as np
import pytest
import torch
from moto import mock_aws

from export import cli
from export.conversion.convert import export_bundle
from export.data.prices import Prices, make_prices
from export.data.sample import made_market
from export.training.config import Config
from export.training.network import Network
from lambda_fn.tables.s3 import client as s3_client
from tests.export.data.yahoo.yahoo_stand_in import Yahoo

SMALL = Config(hidden_size=6, epochs=2, batch_size=64, patience=9)


@pytest.fixture(autouse=True)
def environment():
    """Leaves the environment as it was: `efemera serve` tells the handler by it which model to load."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def prices() -> Prices:
    """Three made series of 260 days, one of which starts later."""
    days = np.arange("2020-01-01", "2020-09-17", dtype="datetime64[D]")
    market = made_market(3, len(days), seed=3)
    return make_prices({"AAA": (days, market[0]), "BBB": (days, market[1]), "CCC": (days[40:], market[2, 40:])})


def stirred(config: Config, seed: int = 0) -> Network:
    """An untrained network whose every weight matters: the quantile head starts at zero otherwise."""
    torch.manual_seed(seed)
    network = Network(config)
    network.start_from(torch.randn(2000, config.horizon))
    if config.head == "quantile":
        torch.nn.init.normal_(network.linear.weight, std=0.3)
    return network.eval()


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The folder of a small exported set."""
    folder = tmp_path_factory.mktemp("model")
    export_bundle(stirred(SMALL), {}, folder, model_version="small-1")
    return folder


@pytest.fixture
def bucket(monkeypatch):
    """An empty bucket named 'market', in moto; its client."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="market")
        s3_client.cache_clear()
        yield client
    s3_client.cache_clear()


@pytest.fixture
def yahoo(monkeypatch):
    fake = Yahoo()
    fake.closes = {"AAA": 20 + np.arange(600) / 100, "BBB": 5 + np.arange(600) / 1000}
    monkeypatch.setattr("export.data.yahoo.download.download", fake.download)
    return fake


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that would have been made, in seconds."""
    made = []
    monkeypatch.setattr("export.data.yahoo.download.sleep", made.append)
    return made


@pytest.fixture
def efemera(monkeypatch, capsys):
    """Run the command as a user does; exit code, stdout, stderr."""

    def run(*arguments, columns=200):
        monkeypatch.setattr(sys, "argv", ["efemera", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return ended.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def data_yahoo(efemera):
    """Run `efemera data yahoo`."""
    return partial(efemera, "data", "yahoo")
