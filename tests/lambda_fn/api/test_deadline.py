"""A request's use of the model: counted, and refused early where the invocation would end before the answer."""

import json

import numpy as np
import pytest

from lambda_fn.api.handler import handler
from lambda_fn.model.forecaster import RESERVE, WINDOWS_PER_RUN, DeadlineExceeded, Inference
from tests.lambda_fn.api.test_series import many
from tests.lambda_fn.conftest import Context, event


class Ending(Context):
    """An invocation with this many milliseconds left."""

    def __init__(self, milliseconds):
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self):
        return self.milliseconds


class Slow:
    """A model that takes a second of a clock of its own for each window."""

    def __init__(self, monkeypatch):
        self.now, self.runs = 0.0, 0
        monkeypatch.setattr("lambda_fn.model.forecaster.time.perf_counter", lambda: self.now)

    def quantiles(self, prices):
        self.now += len(prices)
        self.runs += 1
        return np.zeros((len(prices), 5, 7))


def forecast(inference, count):
    inference.expect(count)
    for start in range(0, count, WINDOWS_PER_RUN):
        inference.quantiles(np.ones((min(WINDOWS_PER_RUN, count - start), 60)))


def test_series_and_their_time_are_counted(monkeypatch):
    inference = Inference(Slow(monkeypatch))
    forecast(inference, 2 * WINDOWS_PER_RUN + 3)
    assert (inference.series, inference.seconds) == (2 * WINDOWS_PER_RUN + 3, 2 * WINDOWS_PER_RUN + 3)


def test_what_fits_into_the_time_left_is_answered(monkeypatch):
    inference = Inference(Slow(monkeypatch), 4 * WINDOWS_PER_RUN + 1 + RESERVE)
    forecast(inference, 4 * WINDOWS_PER_RUN)
    assert inference.series == 4 * WINDOWS_PER_RUN


def test_what_does_not_is_refused_after_the_first_run(monkeypatch):
    slow = Slow(monkeypatch)
    with pytest.raises(DeadlineExceeded) as exceeded:
        forecast(Inference(slow, 4 * WINDOWS_PER_RUN - 1 + RESERVE), 4 * WINDOWS_PER_RUN)
    assert slow.runs == 1
    assert str(exceeded.value).startswith(f"{4 * WINDOWS_PER_RUN} forecasts need {3 * WINDOWS_PER_RUN} s more")


def test_a_request_that_comes_too_late_is_refused_before_any_work(monkeypatch):
    slow = Slow(monkeypatch)
    with pytest.raises(DeadlineExceeded):
        forecast(Inference(slow, RESERVE), 1)
    assert slow.runs == 0


@pytest.mark.parametrize("path", ["/predict", "/v2/models/efemera/infer"])
def test_the_client_is_told_when_to_come_again(path, walk):
    tensor = {"name": "prices", "datatype": "FP64", "shape": [1, 60], "data": walk}
    body = {"prices": walk} if path == "/predict" else {"inputs": [tensor]}
    response = handler(event(body, path=path), Ending(10))
    problem = json.loads(response["body"])
    assert (response["statusCode"], problem["type"], response["headers"]["Retry-After"]) == (
        503,
        "/problems/not-now",
        "1",
    )
    assert "send fewer series, or again" in problem["detail"]
    assert handler(event(body, path=path), Ending(10_000))["statusCode"] == 200


def test_a_request_of_refused_series_alone_needs_no_time():
    assert handler(event({"series": [{"id": "A", "prices": []}]}), Ending(1))["statusCode"] == 200


def test_without_a_context_there_is_no_deadline():
    assert handler(event({"series": many(WINDOWS_PER_RUN + 1)}), None)["statusCode"] == 200
