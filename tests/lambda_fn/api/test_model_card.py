"""Model card and OpenAPI document, of the project's model and of one brought along."""

import json
import shutil

import pytest

from lambda_fn.api import model_card
from lambda_fn.api.handler import forecaster
from lambda_fn.model.forecaster import Forecaster
from tests.lambda_fn.api.test_api import call
from tests.lambda_fn.conftest import MODELS


def test_the_model_card_is_the_artefacts_own_words(forecaster):
    _, headers, card = call(path="/model", method="GET")
    assert headers["content-type"] == "application/json"
    assert card["manifest"] == json.loads((MODELS / "manifest.json").read_text())
    parity = json.loads((MODELS / "parity.json").read_text())
    assert card["parity"]["worst"] == parity["worst"]
    assert card["parity"]["tolerance"] == parity["tolerance"]
    assert card["parity"]["cases"] == len(parity["cases"])
    evaluation = json.loads((MODELS / "evaluation.json").read_text())
    assert (card["verdict"], card["evaluation"]) == (evaluation["verdict"], evaluation)
    assert card["model_digest"] == forecaster.model_digest
    assert card["limits"]["window"] == 60
    assert card["limits"]["levels"] == [95, 80, 50]


def test_an_evaluated_model_shows_its_evaluation(tmp_path):
    folder = shutil.copytree(MODELS, tmp_path / "models")
    digest = json.loads((folder / "manifest.json").read_text())["files"]["model.onnx"][:12]
    evaluation = {"schema_version": 1, "model_digest": digest, "verdict": "calibrated", "scores": [1]}
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    card = model_card.read(folder, Forecaster(folder))
    assert (card.verdict, card.evaluation) == ("calibrated", evaluation)
    evaluation["model_digest"] = "0" * 12
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    card = model_card.read(folder, Forecaster(folder))
    assert (card.verdict, card.evaluation) == ("unevaluated", None)


class Other:
    """A model of other limits: no intervals, ten days, one step."""

    model_digest = "0123456789ab"

    class manifest:  # noqa: N801
        horizon = 1

    class limits:  # noqa: N801
        window, levels, calendars = 10, (), ("weekdays",)


def test_the_openapi_document_has_the_limits_of_the_model_that_is_served():
    ours, other = model_card.openapi(forecaster, ""), model_card.openapi(Other, "")
    assert other["components"]["schemas"]["Closes"]["minItems"] == 10
    assert other["components"]["schemas"]["Window"]["maxItems"] == 10
    assert other["components"]["schemas"]["Horizon"]["maximum"] == 1
    assert other["info"]["x-model-digest"] == "0123456789ab"
    assert other["components"]["schemas"]["Level"]["not"] == {}
    assert "examples" in json.dumps(ours)
    assert "examples" not in json.dumps(other)
    assert other["paths"].keys() == ours["paths"].keys()


@pytest.mark.parametrize("path", ["/model", "/openapi.json", "/v2", "/v2/health/live", "/v2/models/efemera/ready"])
def test_what_is_read_is_read_by_head_and_get_alone(path):
    assert call(path=path, method="HEAD")[0] == 200
    status, headers, _ = call("{}", path=path, method="POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
