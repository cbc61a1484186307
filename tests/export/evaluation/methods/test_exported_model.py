"""An exported model is judged by the very answers it gives on Lambda, window by window."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest

from export.errors import GateRefused, InputError
from export.evaluation.cases import cases_of
from export.evaluation.methods.efemera import ExportedModel
from export.training.config import make_config
from lambda_fn.model.forecaster import Forecaster
from tests.export.conftest import SMALL
from tests.export.evaluation.made import DAY, market

PRICES = market(320, 300)
CASES = cases_of(PRICES, SMALL.window, SMALL.horizon, DAY)  # 66 and 46 of them


@pytest.fixture(scope="module")
def fixed(model):
    return ExportedModel(model)


@pytest.mark.parametrize("count", [1, 47, 48, 49, 96, 97, 100])
def test_forecasts_are_the_served_models_answers_to_each_window_alone(fixed, model, count):
    cases = CASES.take(np.random.default_rng(count).permutation(len(CASES))[:count])
    served = Forecaster(model)
    found = fixed.forecast(PRICES, cases)
    assert found.quantiles.shape == (count, SMALL.horizon, len(SMALL.quantiles))
    for case in range(count):
        row = cases.rows[case]
        window = PRICES.y[row - SMALL.window + 1 : row + 1]
        expected = np.log(served.quantiles(window[None].copy())[0] / window[-1])
        np.testing.assert_allclose(found.quantiles[case], expected, rtol=0, atol=1e-7)


def test_cases_have_forecasts_of_their_own(fixed):
    assert len(np.unique(fixed.forecast(PRICES, CASES).quantiles[:, 0, 0].round(9))) > len(CASES) * 0.9


def test_the_median_is_the_middle_quantile_and_quantiles_rise(fixed):
    found = fixed.forecast(PRICES, CASES)
    np.testing.assert_array_equal(found.median, found.quantiles[..., 3])
    assert fixed.levels[3] == 0.5
    assert (np.diff(found.quantiles, axis=-1) > 0).all()


@pytest.mark.parametrize(("changed", "differs"), [(-SMALL.window, False), (1 - SMALL.window, True), (0, True),
                                                  (1, False)])  # fmt: skip
def test_only_the_window_up_to_the_cutoff_counts(fixed, changed, differs):
    one = CASES.take(np.array([30]))
    y = PRICES.y.copy()
    y[one.rows[0] + changed] *= 1.2
    before, after = (fixed.forecast(table, one).quantiles for table in (PRICES, dataclasses.replace(PRICES, y=y)))
    assert (not np.array_equal(before, after)) == differs


def test_it_tells_which_model_it_is(fixed, model):
    assert fixed.version == "small-1"
    assert fixed.digest == Forecaster(model).model_digest
    assert (fixed.window, fixed.horizon, fixed.levels) == (SMALL.window, SMALL.horizon, SMALL.quantiles)


def test_a_damaged_set_is_refused_by_name(model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "damaged")
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(b"\xff" + content[1:])
    with pytest.raises(GateRefused, match="model.onnx"):
        ExportedModel(folder)


def test_no_model_at_all_is_refused(tmp_path):
    with pytest.raises(GateRefused, match="manifest.json"):
        ExportedModel(tmp_path)


@pytest.mark.slow
def test_a_model_that_says_one_number_can_not_be_evaluated(exported):
    guide = make_config({"head": "guide", "hidden_size": 4, "layers": 1, "window": 5}, "test")  # soon exported
    folder = exported(guide)
    with pytest.raises(InputError, match=f"{folder.name}: the model says one number"):
        ExportedModel(folder)
