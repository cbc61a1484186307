"""Every number of the golden windows' forecasts counts, whatever quantiles the model has."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from lambda_fn.api.handler import handler
from lambda_fn.deploy.pre_traffic_hook import Response, golden_faults, interval_name
from lambda_fn.model.manifest import intervals_of
from tests.lambda_fn.conftest import MODELS, Context
from tests.lambda_fn.conftest import event as request

MANIFEST = json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))
GOLDEN = json.loads((MODELS / "golden.json").read_text(encoding="utf-8"))
SHAPE = np.array(GOLDEN["quantiles"]).shape  # (windows, horizon, quantiles)
LIMIT = GOLDEN["relative_tolerance"]


@pytest.fixture(scope="module")
def answer():
    """Ask the API for the forecasts of all golden windows."""
    series = [{"id": f"golden-{number}", "prices": prices} for number, prices in enumerate(GOLDEN["prices"])]
    found = handler(request({"series": series}), Context())
    return Response(found["statusCode"], "application/json", json.loads(found["body"]))


def test_the_answers_of_the_committed_model_are_pytorch_s(answer):
    assert golden_faults(MANIFEST, GOLDEN, answer) == []


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("quantile", range(SHAPE[2]))
@pytest.mark.parametrize("step", range(SHAPE[1]))
@pytest.mark.parametrize("window", range(SHAPE[0]))
def test_each_quantile_is_held_to_the_tolerance(answer, window, step, quantile, sign):
    """The golden numbers move, not the answers: so each is proven to be compared with one of the answer."""
    size = max(GOLDEN["quantiles"][window][step][quantile], GOLDEN["prices"][window][-1])
    moved = copy.deepcopy(GOLDEN)
    moved["quantiles"][window][step][quantile] += sign * 2.5 * LIMIT * size
    faults = golden_faults(MANIFEST, moved, answer)
    half = SHAPE[2] // 2
    low = min(quantile, SHAPE[2] - 1 - quantile)
    name = f"intervals/{interval_name(MANIFEST['quantiles'][low])}/{int(quantile > half)}" if low < half else "median"
    assert f"/forecasts/{window}/steps/{step}/{name} is " in faults[-1]
    assert len(faults) == (2 if (step, quantile) == (0, half) else 1)  # it is the predicted price too


def test_a_difference_within_the_tolerance_is_none(answer):
    moved = copy.deepcopy(answer)
    moved.body["forecasts"][5]["steps"][4]["median"] *= 1 + 0.4 * LIMIT
    assert golden_faults(MANIFEST, GOLDEN, moved) == []


def test_a_golden_file_that_tolerates_too_much_proves_no_more_than_a_thousandth(answer):
    moved = copy.deepcopy(answer)
    moved.body["forecasts"][5]["steps"][4]["median"] *= 1.002
    assert len(golden_faults(MANIFEST, {**GOLDEN, "relative_tolerance": 1.0}, moved)) == 1


@pytest.mark.parametrize(
    "levels", [[0.5], [0.005, 0.5, 0.995], [0.0125, 0.05, 0.5, 0.95, 0.9875], MANIFEST["quantiles"]]
)
def test_an_interval_has_the_name_that_the_api_gives_it(levels):
    assert [interval_name(level) for level in levels[: len(levels) // 2]] == [
        f"{name:g}" for name in intervals_of(levels)
    ]


def test_a_model_of_one_quantile_and_one_step_is_checked_too():
    manifest = {**MANIFEST, "quantiles": [0.5], "horizon": 1}
    golden = {"relative_tolerance": 1e-6, "prices": [[1, 2]], "quantiles": [[[2.5]]]}
    forecast = {"id": "golden-0", "predicted_price": 2.5, "last_price": 2, "naive_price": 2.0}
    body = {
        "model_version": MANIFEST["model_version"],
        "model_digest": MANIFEST["files"]["model.onnx"][:12],
        "forecasts": [{**forecast, "steps": [{"step": 1, "median": 2.5, "intervals": {}}]}],
    }
    assert golden_faults(manifest, golden, Response(200, "application/json", body)) == []
    body["forecasts"][0]["steps"][0]["median"] = 2.6
    assert len(golden_faults(manifest, golden, Response(200, "application/json", body))) == 1
