"""A request's use of the model: counted, and refused early where the invocation would end before the answer."""

import json

import numpy as np
import pytest

from lambda_fn.api import handler as api
from lambda_fn.api.deadline import BLOCK, RESERVE, Run
from lambda_fn.api.problem_details import Refusal
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
        self.now, self.blocks = 0.0, 0
        monkeypatch.setattr("lambda_fn.api.deadline.time.perf_counter", lambda: self.now)

    def quantiles(self, prices):
        self.now += len(prices)
        self.blocks += 1
        return np.zeros((len(prices), 5, 7))


def blocks(run, count):
    run.expect(count)
    for start in range(0, count, BLOCK):
        run.quantiles(np.ones((min(BLOCK, count - start), 60)))


def test_series_and_their_time_are_counted(monkeypatch):
    run = Run(Slow(monkeypatch))
    blocks(run, 2 * BLOCK + 3)
    assert (run.series, run.seconds) == (2 * BLOCK + 3, 2 * BLOCK + 3)


def test_what_fits_into_the_time_left_is_answered(monkeypatch):
    run = Run(Slow(monkeypatch), Ending((4 * BLOCK + 1 + RESERVE) * 1e3))
    blocks(run, 4 * BLOCK)
    assert run.series == 4 * BLOCK


def test_what_does_not_is_refused_after_the_first_block(monkeypatch):
    slow = Slow(monkeypatch)
    with pytest.raises(Refusal) as refused:
        blocks(Run(slow, Ending((4 * BLOCK - 1 + RESERVE) * 1e3)), 4 * BLOCK)
    assert (slow.blocks, refused.value.status, refused.value.headers) == (1, 503, {"Retry-After": "1"})
    assert refused.value.detail.startswith(f"{4 * BLOCK} forecasts need {3 * BLOCK} s more")


def test_a_request_that_comes_too_late_is_refused_before_any_work(monkeypatch):
    slow = Slow(monkeypatch)
    with pytest.raises(Refusal):
        blocks(Run(slow, Ending(RESERVE * 1e3)), 1)
    assert slow.blocks == 0


@pytest.mark.parametrize("path", ["/predict", "/v2/models/efemera/infer"])
def test_the_client_is_told_when_to_come_again(path, walk):
    tensor = {"name": "prices", "datatype": "FP64", "shape": [1, 60], "data": walk}
    body = {"prices": walk} if path == "/predict" else {"inputs": [tensor]}
    found = api.handler(event(body, path=path), Ending(10))
    problem = json.loads(found["body"])
    assert (found["statusCode"], problem["type"], found["headers"]["Retry-After"]) == (503, "/problems/not-now", "1")
    assert "send fewer series, or again" in problem["detail"]
    assert api.handler(event(body, path=path), Ending(10_000))["statusCode"] == 200


def test_a_request_of_refused_series_alone_needs_no_time():
    assert api.handler(event({"series": [{"id": "A", "prices": []}]}), Ending(1))["statusCode"] == 200


def test_without_a_context_there_is_no_deadline():
    assert api.handler(event({"series": many(BLOCK + 1)}), None)["statusCode"] == 200
