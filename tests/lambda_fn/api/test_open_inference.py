"""The Open Inference Protocol: right tensors are answered like `/predict`, wrong ones pointed at."""

import json

import numpy as np
import pytest

from lambda_fn.model.forecaster import WINDOWS_PER_RUN
from tests.lambda_fn.api.test_api import call
from tests.lambda_fn.api.test_api import pointers as places
from tests.lambda_fn.api.test_series import many

PATH = "/v2/models/efemera/infer"


def windows(count):
    return [series["prices"] for series in many(count)]


def request(data, shape, **fields):
    return {"inputs": [{"name": "prices", "datatype": "FP64", "shape": shape, "data": data, **fields}]}


def refused(body):
    status, headers, answer = call(body, path=PATH)
    assert headers["content-type"] == "application/problem+json"
    assert answer["error"] == answer["detail"]  # the protocol's own name for it
    return status, answer


def test_flat_and_nested_tensors_give_the_answers_of_predict():
    prices = windows(2 * WINDOWS_PER_RUN + 1)
    status, _, nested = call(request(prices, [len(prices), 60]), path=PATH)
    flat = call(request([price for window in prices for price in window], [len(prices), 60]), path=PATH)[2]
    assert status == 200
    assert nested == flat
    by_name = {output["name"]: output for output in nested["outputs"]}
    assert by_name["quantiles"]["shape"] == [len(prices), 5, 7]
    quantiles = np.reshape(by_name["quantiles"]["data"], (len(prices), 5, 7))
    forecasts = call({"series": many(len(prices))})[2]["forecasts"]
    for position, forecast in enumerate(forecasts):  # in blocks of equal size, so equal to the last bit
        assert by_name["predicted_price"]["data"][position] == forecast["predicted_price"]
        assert quantiles[position, 4, 6] == forecast["steps"][4]["intervals"]["95"][1]


def test_the_answer_names_the_request_the_model_and_its_verdict(forecaster):
    body = {"id": "mine", **request(windows(1), [1, 60])}
    answer = call(body, path=PATH)[2]
    assert (answer["id"], answer["model_name"]) == ("mine", "efemera")
    assert answer["model_version"] == forecaster.manifest.model_version
    assert answer["parameters"] == {"model_digest": forecaster.model_digest, "verdict": forecaster.verdict}
    del body["id"]
    assert "id" not in call(body, path=PATH)[2]


def test_a_version_is_a_path_of_its_own_and_another_one_is_not_there(forecaster):
    path = f"/v2/models/efemera/versions/{forecaster.manifest.model_version}"
    body = request(windows(1), [1, 60])
    assert call(body, path=f"{path}/infer")[2] == call(body, path=PATH)[2]
    assert call(path=f"{path}/ready", method="GET")[2] == {"name": "efemera", "ready": True}
    assert call(path=path, method="GET")[2]["versions"] == [forecaster.manifest.model_version]
    assert call(path=path.replace(".", "x"), method="GET")[0] == 404
    assert call(body, path="/v2/models/efemera/versions/1/infer")[0] == 404


@pytest.mark.parametrize("literal", ["0", "-1", "NaN", "1e400", "null", '"40"', "true", "[]"])
def test_an_element_that_is_no_price_is_pointed_at(literal):
    for data, pointer in ((windows(2), "/inputs/0/data/1/2"), ([*windows(2)[0], *windows(2)[1]], "/inputs/0/data/62")):
        text = json.dumps(request(data, [2, 60])).replace(json.dumps(windows(2)[1][2]), literal)
        status, answer = refused(text)
        assert status == 422
        assert pointer in places(answer)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "x"}, "/inputs/0/name"),
        ({"datatype": "FP32"}, "/inputs/0/datatype"),
        ({"shape": [60]}, "/inputs/0/shape"),
        ({"shape": [1, 59]}, "/inputs/0/shape"),
        ({"shape": [0, 60]}, "/inputs/0/shape"),
        ({"shape": [1001, 60]}, "/inputs/0/shape"),
        ({"shape": [2, 60]}, "/inputs/0/data"),
        ({"data": []}, "/inputs/0/data"),
        ({"data": [40.0] * 59}, "/inputs/0/data"),
        ({"data": [[40.0] * 59]}, "/inputs/0/data"),
        ({"data": [[40.0] * 60, [40.0]]}, "/inputs/0/data"),
        ({"data": [[40.0] * 60, 40.0]}, "/inputs/0/data/1"),
        ({"data": [[[40.0]] * 60]}, "/inputs/0/data/0/0"),
        ({"data": {}}, "/inputs/0/data"),
        ({"data": "40"}, "/inputs/0/data"),
        ({"data": None}, "/inputs/0/data"),
    ],
)
def test_a_wrong_tensor_is_pointed_at(change, pointer):
    status, answer = refused(request(**{"data": windows(1), "shape": [1, 60], **change}))
    assert status == 422
    assert places(answer)[0] == pointer


def test_every_fault_is_named_at_once():
    body = request([40.0] * 59, [1, 59], name="x", datatype="INT8") | {
        "outputs": [{"name": "quantiles"}, {"name": "y"}]
    }
    assert places(refused(body)[1]) == ["/outputs/1/name", "/inputs/0/name", "/inputs/0/datatype", "/inputs/0/shape"]


def test_null_stands_for_what_is_not_there():
    body = request(windows(1), [1, 60], parameters=None)
    assert call({**body, "outputs": None, "id": None}, path=PATH)[2] == call(request(windows(1), [1, 60]), path=PATH)[2]


def test_what_is_of_a_wrong_type_is_pointed_at():
    assert places(refused({"inputs": [{"name": 1}]})[1]) == ["/inputs/0/name"]
    assert places(refused({"inputs": [{**request([], [1, 60])["inputs"][0], "shape": [1, "x"]}]})[1]) == [
        "/inputs/0/shape/1"
    ]
    assert places(refused([])[1]) == [""]


def test_a_parameter_of_an_output_that_would_change_it_is_refused_and_binary_data_is_not():
    for parameters, status in (({"binary_data": True}, 200), ({"classification": 3}, 422)):
        body = request(windows(1), [1, 60]) | {"outputs": [{"name": "quantiles", "parameters": parameters}]}
        assert call(body, path=PATH)[0] == status


@pytest.mark.parametrize("body", [{}, [], None, {"inputs": []}, {"inputs": [1]}, {"inputs": [{"name": "prices"}]}])
def test_what_is_no_inference_request_is_422(body):
    assert refused(json.dumps(body))[0] == 422


def test_a_tensor_without_data_is_told_so():
    body = request([], [1, 60])
    del body["inputs"][0]["data"]
    status, answer = refused(body)
    assert (status, answer["errors"]) == (422, [{"pointer": "/inputs/0/data", "detail": "is required"}])


@pytest.mark.parametrize("body", ["", "{", '{"x":' * 100_000, '{"inputs":[{"data":[NaN]', "\ufeff{}"])
def test_a_body_that_is_no_json_is_400(body):
    assert refused(body)[0] == 400


def test_binary_tensors_are_refused_before_they_are_read():
    body = request(windows(1), [1, 60], parameters={"binary_data_size": 480})
    status, answer = refused(body)
    assert (status, "binary tensor extension is not served" in answer["error"]) == (415, True)
    assert call("\0", path=PATH, content_type="application/octet-stream")[0] == 415


def test_the_problems_of_other_paths_have_no_second_name():
    assert "error" not in call({}, path="/predict")[2]
