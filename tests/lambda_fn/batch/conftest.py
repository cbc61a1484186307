"""Fixtures of the batch tests: the committed model, another one, and S3 by moto."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from lambda_fn.batch import plan, served_model
from lambda_fn.batch.errors import BatchRefused
from lambda_fn.model.forecaster import open_session
from lambda_fn.model.manifest import SERVED
from lambda_fn.tables.errors import InputRefused
from tests.lambda_fn.batch import oracle
from tests.lambda_fn.batch.evenings import Evenings
from tests.lambda_fn.batch.market import DAY, days, one, table
from tests.lambda_fn.batch.runs import asked, run
from tests.lambda_fn.tables.s3 import faults as faults
from tests.lambda_fn.tables.s3 import pauses as pauses
from tests.lambda_fn.tables.s3 import s3 as s3
from tests.lambda_fn.tables.s3 import session as session

MODELS = Path(__file__).parent.parent.parent.parent / "models"


@pytest.fixture(scope="package", autouse=True)
def _no_model_of_other_tests():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EFEMERA_MODELS", str(MODELS))
        served_model.serve_model(MODELS)
        yield


@pytest.fixture(autouse=True)
def own_model(monkeypatch):
    """Start each test with the committed model and a quiet log."""
    monkeypatch.setenv("EFEMERA_MODELS", str(MODELS))
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")
    yield
    if served_model.models_folder() != MODELS:
        served_model.serve_model(MODELS)


@pytest.fixture(scope="session")
def other_model(tmp_path_factory):
    """Make a whole, verified model with another bias than the committed one, and golden answers of its own."""
    folder = tmp_path_factory.mktemp("other") / "model"
    shutil.copytree(MODELS, folder, ignore=shutil.ignore_patterns("schemas", "README.md", "model_lstm.pth"))
    graph = onnx.load(folder / "model.onnx")
    [bias] = [tensor for tensor in graph.graph.initializer if tensor.name == "linear.bias"]
    moved = onnx.numpy_helper.to_array(bias) + np.float32(0.05)
    bias.CopyFrom(onnx.numpy_helper.from_array(moved, bias.name))
    onnx.save(graph, folder / "model.onnx")
    golden = json.loads((folder / "golden.json").read_text())
    answers = open_session(folder / "model.onnx").run(["quantiles"], {"prices": np.array(golden["prices"])})[0]
    golden["quantiles"] = answers.tolist()
    (folder / "golden.json").write_text(json.dumps(golden))
    parity = json.loads((folder / "parity.json").read_text())
    parity["model_sha256"] = sha256(folder / "model.onnx")
    (folder / "parity.json").write_text(json.dumps(parity))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["model_version"] = "other-1"
    manifest["files"] |= {name: sha256(folder / name) for name in SERVED}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def closes():
    """Forty clean series, a good three shards."""
    return table(40)


@pytest.fixture(scope="session")
def prices(closes, tmp_path_factory):
    """Write them as a Parquet file."""
    path = tmp_path_factory.mktemp("prices") / "prices.parquet"
    closes.to_parquet(path, index=False)
    return path


@pytest.fixture(scope="session")
def cents():
    """Twelve series of closes to the cent, which any layout can hold."""
    found = table(12, seed=2)
    return found.assign(y=found["y"].clip(lower=1).round(2))


@pytest.fixture(scope="session")
def expected(cents):
    """Forecast them by pandas and NumPy."""
    return oracle.forecasts(cents, DAY)


@pytest.fixture
def gives(tmp_path, expected):
    """Hold the forecasts of some places against those expected."""

    def check(*places, expected=expected):
        ran = run(list(places), tmp_path / "out")
        assert set(ran.status["status"]) == {"forecast"}, ran.reasons
        pd.testing.assert_frame_equal(ran.forecasts[expected.columns], expected, check_exact=True)
        return ran

    return check


@pytest.fixture
def refusal(tmp_path):
    """Plan with some places: return the message of the refusal, once nothing was written."""

    def said(*places, error=InputRefused, **more):
        with pytest.raises((BatchRefused, InputRefused)) as caught:
            plan.plan(asked(list(places), tmp_path / "out", **more))
        assert caught.type is error
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists()
        return str(caught.value)

    return said


@pytest.fixture
def evenings(tmp_path):
    return Evenings(tmp_path)


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    """Write a Parquet file of thirty good series and some that are refused."""
    folder = tmp_path_factory.mktemp("market")
    short, bad = one("short", np.full(3, 1.0)), one("VALE, ON", [*np.full(60, 5.0), 0.0])
    every = pd.concat([table(30, seed=8), short, bad, one("old", np.full(70, 2.0), "2026-01-02")])
    every.to_parquet(folder / "prices.parquet", index=False)
    return folder / "prices.parquet"


@pytest.fixture(scope="session")
def scored(market, tmp_path_factory):
    """Run two evenings in one place, the second of which scores the first."""
    folder = tmp_path_factory.mktemp("scored")
    for day in (days(3)[0].date().isoformat(), DAY):
        run(market, folder / "out", day)
    return folder / "out"
