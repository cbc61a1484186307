"""The committed set of artefacts is whole and proven, and fits both the reader and the schemas."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.conversion.convert import check_bundle
from export.data.calendars import FROZEN
from export.data.session_file import as_json, digest_of, freeze_sessions
from export.training.checkpoint import read_checkpoint
from lambda_fn.api.forecast_response import forecast_one
from lambda_fn.api.request_body import PredictRequest
from lambda_fn.model.forecaster import Forecaster, Inference
from lambda_fn.model.manifest import Golden, Manifest, TrainingData

MODELS = Path(__file__).parent.parent.parent / "models"


def schema(kind: str) -> dict:
    return json.loads((MODELS / "schemas" / f"{kind}.schema.json").read_text())


@pytest.mark.parametrize("kind", ["manifest", "golden", "parity", "sessions"])
def test_the_committed_artefacts_are_valid_under_their_schemas(kind):
    jsonschema.validate(json.loads((MODELS / f"{kind}.json").read_text()), schema(kind))


def test_the_committed_sessions_are_those_of_exchange_calendars_to_the_byte():
    committed = json.loads((MODELS / "sessions.json").read_text())
    first, last = np.datetime64(committed["first"]), np.datetime64(committed["last"])
    again = freeze_sessions(FROZEN, first, last) | {"created_at": committed["created_at"]}
    assert (MODELS / "sessions.json").read_bytes() == as_json(again)


@pytest.mark.parametrize("field", ["first", "last", "exchange_calendars", "calendars", "sha256"])
def test_sessions_that_were_tampered_with_do_not_have_their_digest(field):
    committed = json.loads((MODELS / "sessions.json").read_text())
    assert digest_of(committed) == committed["sha256"]
    if field == "calendars":
        committed[field]["BVMF"][0] = "2026-01-01"
    else:
        committed[field] = committed[field].translate(str.maketrans("0123456789", "1234567890"))
    assert digest_of(committed) != committed["sha256"]


def test_the_committed_model_passes_the_gate_today():
    check_bundle(MODELS)


def test_the_committed_model_is_the_guides_network_with_the_quantile_head():
    network, training = read_checkpoint(MODELS / "model_lstm.pth")
    manifest = json.loads((MODELS / "manifest.json").read_text())
    assert manifest["parameters"] == network.parameter_count()
    assert manifest["training_data"] == training["data"]
    assert (network.config.cell, network.config.hidden_size, network.config.layers, network.config.window) == (
        "lstm",
        50,
        2,
        60,
    )


@pytest.mark.parametrize(("kind", "struct"), [("manifest", Manifest), ("golden", Golden)])
def test_the_reader_asks_for_nothing_the_schema_does_not_promise(kind, struct):
    promised = schema(kind)
    assert set(struct.__struct_fields__) <= set(promised["required"])
    assert promised["additionalProperties"] is False
    data = schema("manifest")["properties"]["training_data"]
    assert set(TrainingData.__struct_fields__) == set(data["required"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1e-3, 1e6), min_size=60, max_size=60))
def test_the_pytorch_network_of_the_checkpoint_says_what_the_handler_says(prices):
    import torch

    network, _ = read_checkpoint(MODELS / "model_lstm.pth")
    served = forecast_one(Inference(Forecaster(MODELS)), PredictRequest(prices)).predicted_price
    with torch.no_grad():
        trained = network(torch.tensor([prices], dtype=torch.float64))[0].item()
    assert served == pytest.approx(trained, rel=2e-5)  # a scale of up to 1 × the gate's tolerance
