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

from lambda_fn import batch, finish, plan
from tests.infra.conftest import OFFLINE, SAM_BIN
from tests.infra.step_functions import BUCKET
from tests.infra.test_events import load
from tests.infra.test_state_machine import SHARDS, THURSDAY, write_prices

pytestmark = pytest.mark.docker

Invoke = Callable[[str, dict[str, Any]], Any]


@pytest.fixture(scope="module")
def endpoint(lambda_base: list[str]) -> Iterator[str]:
    """Where containers find S3: at the address that this machine has on Docker's own network."""
    assert lambda_base is not None
    command = ["docker", "network", "inspect", "bridge", "--format={{range .IPAM.Config}}{{.Gateway}}{{end}}"]
    gateway = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
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
    variable = "POWERTOOLS_METRICS_NAMESPACE: Efemera\n"
    text = (built / "template.yaml").read_text(encoding="utf-8")
    added = f'          AWS_ENDPOINT_URL: {endpoint}\n          PYTHONTZPATH: ""\n'
    assert text.count(variable) == 4
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
    event = load("batch_plan")

    planned = invoke("PlanFunction", event)
    assert (planned["state"], planned["as_of"], planned["shards"]) == ("ready", str(THURSDAY), SHARDS)
    items = json.loads(s3.get_object(Bucket=planned["items"]["bucket"], Key=planned["items"]["key"])["Body"].read())
    # Two containers, and this process for the rest: it writes the same files, which is what is to be shown.
    shards = [item["shard"] for item in items]
    for shard in shards[:2]:
        invoke("BatchFunction", {"place": planned["place"], "shard": shard})
    here = tmp_path / "here"
    event["settings"] |= {"prices": str(prices), "out": str(here)}
    place = plan.handler(event, None)["place"]
    assert place["run"] == planned["place"]["run"]
    for shard in shards:
        batch.handler({"place": place, "shard": shard}, None)
    folder = f"runs/{place['as_of']}/{place['run']}"
    for shard in shards[:2]:
        for table in ("forecasts", "status"):
            key = f"{folder}/{table}/part-{shard:05}.parquet"
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == (here / key).read_bytes(), key
    refused = invoke("FinishFunction", {"place": planned["place"]})
    assert refused["errorType"] == "Incomplete"
    for shard in shards[2:]:
        for path in sorted((here / folder).glob(f"*/*{shard:05}*")):
            s3.upload_file(str(path), BUCKET, f"{folder}/{path.parent.name}/{path.name}")

    signed = invoke("FinishFunction", {"place": planned["place"]})
    whole = finish.handler({"place": place}, None)
    assert {**signed, "finished_at": ""} == {**whole, "finished_at": ""}
    assert json.loads(s3.get_object(Bucket=BUCKET, Key=f"{folder}/_SUCCESS.json")["Body"].read()) == signed
    assert invoke("PlanFunction", load("batch_plan"))["state"] == "done"


def test_a_refusal_comes_back_by_its_name(invoke):
    refused = invoke("PlanFunction", {"settings": load("batch_plan")["settings"], "input": {}, "waited": 0})
    assert refused["errorType"] == "BatchRefused"
    assert refused["errorMessage"] == "the input of the run: it needs as_of, or scheduled with its offset from UTC"
