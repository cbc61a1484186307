"""The three built functions of a batch run in AWS's runtime emulator, with a bucket that moto serves over HTTP."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lambda_fn.batch import finish, forecast, plan
from tests.infra.conftest import OFFLINE, SAM_BIN
from tests.infra.step_functions import BUCKET
from tests.infra.test_events import load
from tests.infra.test_state_machine import SERIES, THURSDAY, write_prices

pytestmark = pytest.mark.docker

Invoke = Callable[[str, dict[str, Any]], Any]


@pytest.fixture(scope="module")
def endpoint(gateway: str) -> Iterator[str]:
    """Address at which containers find S3."""
    server = ThreadedMotoServer(gateway, 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://{gateway}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Any:
    """A client of that S3, with an empty bucket."""
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **keys)
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="module")
def invoke(lambda_base: list[str], built: Path, endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Invoke:
    """The answer of a built function to an event.

    SAM hands only those variables over that the template names, so a copy of it names where S3 is; and that there are
    no time zones but the package's own, as in Lambda's image.
    """
    folder = tmp_path_factory.mktemp("events")
    variable = "POWERTOOLS_SERVICE_NAME: efemera\n"
    text = (built / "template.yaml").read_text(encoding="utf-8")
    added = f'        AWS_ENDPOINT_URL: {endpoint}\n        PYTHONTZPATH: ""\n'
    assert text.count(variable) == 1  # all functions share it
    template = built / "with-endpoint.yaml"
    template.write_text(text.replace(variable, variable + added), encoding="utf-8")

    def invoked(function: str, event: dict[str, Any]) -> Any:
        (folder / "event.json").write_text(json.dumps(event), encoding="utf-8")
        command = [SAM_BIN / "sam", "local", "invoke", function, *lambda_base, "-t", template]
        run = subprocess.run(
            [*command, "-e", folder / "event.json"],
            env=OFFLINE, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout.splitlines()[-1])

    return invoked


def test_a_whole_run_on_lambda_writes_the_very_files_that_this_machine_writes(invoke, s3, tmp_path, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    prices = write_prices(tmp_path / "closes.parquet", THURSDAY)
    s3.upload_file(str(prices), BUCKET, "prices/closes.parquet")

    planned = invoke("PlanFunction", load("batch_plan"))
    assert (planned["state"], planned["as_of"], planned["series"]) == ("ready", str(THURSDAY), SERIES)
    items = json.loads(s3.get_object(Bucket=planned["items"]["bucket"], Key=planned["items"]["key"])["Body"].read())
    assert invoke("FinishFunction", {"place": planned["place"]})["errorType"] == "Incomplete"
    for item in items:
        done = invoke("BatchFunction", {"place": planned["place"], **item})
        assert done == {**item, "counts": {"forecast": SERIES}}
    signed = invoke("FinishFunction", {"place": planned["place"]})
    assert invoke("PlanFunction", load("batch_plan"))["state"] == "done"

    asked = load("batch_plan")
    asked["settings"] |= {"prices": str(prices), "out": str(tmp_path)}
    place = plan.handler(asked, None)["place"]
    for item in items:
        forecast.handler({"place": place, **item}, None)
    assert {**finish.handler({"place": place}, None), "finished_at": ""} == {**signed, "finished_at": ""}
    assert place["run"] == planned["place"]["run"]
    tables = sorted((tmp_path / "runs").rglob("*.parquet"))
    assert [path.parent.name for path in tables] == ["forecasts", "status"]
    for path in tables:
        key = str(path.relative_to(tmp_path))
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == path.read_bytes(), key


def test_a_refusal_comes_back_by_its_name(invoke):
    refused = invoke("PlanFunction", {"settings": load("batch_plan")["settings"], "input": {}, "waited": 0})
    assert refused["errorType"] == "BatchRefused"
    assert refused["errorMessage"] == "the input of the run: it needs as_of, or scheduled with its offset from UTC"
