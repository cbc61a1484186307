"""The events that tests send: API Gateway's (payload 2.0, made prices), batch_* of Step Functions, codedeploy_*."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from tests.infra.conftest import ROOT

EVENTS = ROOT / "tests" / "events"
OF_GATEWAY = sorted({*EVENTS.glob("*.json")} - {*EVENTS.glob("batch_*.json"), *EVENTS.glob("codedeploy_*.json")})


def load(name: str) -> dict[str, Any]:
    """One event by its name."""
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def made_prices() -> list[float]:
    """Sixty steps of a seeded random walk: no market's prices."""
    walk, price, prices = random.Random(60), 40.0, []
    for _ in range(60):
        price *= 1 + 0.04 * (walk.random() - 0.5)
        prices.append(round(price, 2))
    return prices


def test_the_prices_of_the_events_are_made_and_the_same_in_both_encodings():
    plain, encoded = load("predict"), load("predict_base64")
    assert json.loads(plain["body"]) == {"prices": made_prices()}
    assert base64.b64decode(encoded["body"]).decode() == plain["body"]
    assert (plain["isBase64Encoded"], encoded["isBase64Encoded"]) == (False, True)


@pytest.mark.parametrize("path", OF_GATEWAY, ids=lambda path: path.stem)
def test_an_event_says_one_thing_in_every_place_that_says_it(path):
    event = load(path.stem)
    request, http = event["requestContext"], event["requestContext"]["http"]
    assert event["version"] == "2.0"
    assert event["rawPath"] == http["path"]
    assert event["routeKey"] == request["routeKey"]
    assert event["routeKey"] in ("$default", f"{http['method']} {http['path']}")
    if "body" in event:
        body = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
        assert event["headers"]["content-length"] == str(len(body))
