"""What the export tests share: small made prices, and one small network with something in its weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from export.bundle import export_bundle
from export.config import Config
from export.data.prices import Prices, make_prices
from export.data.sample import made_market
from export.network import Network

SMALL = Config(hidden_size=6, epochs=2, batch_size=64, patience=9)


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
