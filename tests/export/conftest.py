"""Fixtures of the export tests: small made prices, small networks with something in their weights, their exports."""

from __future__ import annotations

import fcntl
import hashlib
import os
from functools import partial
from pathlib import Path

import boto3
import numpy as np
import pytest
import torch
from moto import mock_aws

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
def exported(tmp_path_factory):
    """Return the folder of an exported `stirred(config, seed)`; not to be changed.

    An export takes seconds, so each is made once for all tests, in whichever worker they run.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def folder_of(config: Config, seed: int = 0) -> Path:
        folder = shared / f"exported-{hashlib.sha256(repr((config, seed)).encode()).hexdigest()[:16]}"
        with open(f"{folder}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                export_bundle(stirred(config, seed), {}, folder, model_version=f"small-{seed + 1}")
        return folder

    return folder_of


@pytest.fixture(scope="session")
def model(exported):
    """The folder of a small exported set."""
    return exported(SMALL)


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
def data_yahoo(efemera):
    """Run `efemera data yahoo`."""
    return partial(efemera, "data", "yahoo")
