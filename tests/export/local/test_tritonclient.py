"""The Open Inference Protocol by its real client: `tritonclient.http` against `efemera serve`, behind a base path."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lambda_fn import __version__
from lambda_fn.model.forecaster import Forecaster
from tests.export.local.test_server import serving

pytestmark = pytest.mark.slow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # gevent's, of modules imported before it
    from tritonclient import http as triton
    from tritonclient.utils import InferenceServerException

WALKS = 40 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.02, (30, 60)), axis=1))


@pytest.fixture(scope="module")
def client(model):
    with serving(model, "--base-path", "/prod") as (address, _):
        connection = triton.InferenceServerClient(address.removeprefix("http://"))
        yield connection
        connection.close()


def tensor(prices, *, binary=False):
    found = triton.InferInput("prices", list(prices.shape), "FP64")
    found.set_data_from_numpy(prices, binary_data=binary)
    return found


def test_the_server_and_the_model_are_live_and_ready(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("efemera")
    assert client.is_model_ready("efemera", "small-1")
    assert not client.is_model_ready("efemera", "another")
    assert not client.is_model_ready("other")


def test_metadata_is_that_of_the_model(client):
    assert client.get_server_metadata() == {"name": "efemera", "version": __version__, "extensions": []}
    found = client.get_model_metadata("efemera")
    assert (found["name"], found["versions"]) == ("efemera", ["small-1"])
    assert found["inputs"] == [{"name": "prices", "datatype": "FP64", "shape": [-1, 60]}]
    assert found["outputs"][1] == {"name": "quantiles", "datatype": "FP64", "shape": [-1, 5, 7]}
    assert client.get_model_metadata("efemera", "small-1") == found


@pytest.mark.parametrize("version", ["", "small-1"])
def test_tensors_are_answered_as_the_model_answers_them(client, model, version):
    expected = Forecaster(model).quantiles(WALKS)
    found = client.infer("efemera", [tensor(WALKS)], model_version=version, request_id="a request")
    np.testing.assert_allclose(found.as_numpy("quantiles"), expected, rtol=1e-7)
    np.testing.assert_array_equal(found.as_numpy("predicted_price"), found.as_numpy("quantiles")[:, 0, 3])
    said = found.get_response()
    assert (said["model_name"], said["model_version"], said["id"]) == ("efemera", "small-1", "a request")


def test_only_the_outputs_asked_for_come(client):
    wanted = [triton.InferRequestedOutput("predicted_price", binary_data=False)]
    found = client.infer("efemera", [tensor(WALKS[:1])], outputs=wanted)
    assert [output["name"] for output in found.get_response()["outputs"]] == ["predicted_price"]
    assert found.as_numpy("predicted_price").shape == (1,)


def test_binary_tensors_are_refused_and_the_client_is_told_what_to_do(client):
    with pytest.raises(InferenceServerException, match=r"binary tensor extension .* binary_data=False") as refused:
        client.infer("efemera", [tensor(WALKS, binary=True)])
    assert refused.value.status() == "415"


def test_the_client_shows_what_is_wrong_with_a_tensor(client):
    wrong = WALKS[:2].copy()
    wrong[1, 5] = -1
    with pytest.raises(InferenceServerException, match="/inputs/0/data/65 must be a number between") as refused:
        client.infer("efemera", [tensor(wrong)])
    assert refused.value.status() == "422"
    with pytest.raises(InferenceServerException, match="there is no /v2/models/other/infer here"):
        client.infer("other", [tensor(WALKS)])


def test_a_compressed_body_is_refused_in_words(client):
    with pytest.raises(InferenceServerException, match="Content-Encoding is 'gzip'; send the body plain"):
        client.infer("efemera", [tensor(WALKS)], request_compression_algorithm="gzip")


def test_a_compressed_answer_is_read(client):
    plain = client.infer("efemera", [tensor(WALKS)])
    packed = client.infer("efemera", [tensor(WALKS)], response_compression_algorithm="gzip")
    np.testing.assert_array_equal(packed.as_numpy("quantiles"), plain.as_numpy("quantiles"))
