"""The built hooks of a deployment in AWS's runtime emulator; Lambda, CodeDeploy and S3 stand on this machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.infra.conftest import MODELS, OFFLINE, SAM_BIN
from tests.infra.test_events import EVENTS
from tests.lambda_fn.deploy.stand_in import Aws, serving

pytestmark = pytest.mark.docker

ARN = "arn:aws:lambda:us-east-1:123456789012:function:efemera-{}:{}"
VARIABLES = {
    "HookFunction": {"NEW_VERSION": ARN.format("ApiFunction", 7)},
    "ReleasedFunction": {
        "VERSIONS": ",".join(ARN.format(f"{name}Function", 7) for name in ("Api", "Plan", "Batch", "Finish")),
        "RELEASES": "s3://market/releases",
    },
}


@pytest.fixture
def aws(gateway: str) -> Iterator[tuple[Aws, str]]:
    """Stand-in for Lambda and CodeDeploy, and its address for containers."""
    found = Aws()
    with serving(found, gateway) as address:
        yield found, address


@pytest.fixture
def s3(gateway: str) -> Iterator[tuple[Any, str]]:
    """A client of moto's S3 with an empty bucket, and where containers find it."""
    server = ThreadedMotoServer(gateway, 0, verbose=False)
    server.start()
    address = f"http://{gateway}:{server.get_host_and_port()[1]}"
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=address, **keys)
    client.create_bucket(Bucket="market")
    yield client, address
    server.stop()


@pytest.fixture
def invoke(lambda_base: list[str], built: Path, aws: tuple[Aws, str], tmp_path: Path) -> Callable[..., Any]:
    """The answer of a built hook to CodeDeploy's event."""

    def invoked(function: str, event: str, s3: str = "http://127.0.0.1:9") -> Any:
        variable = "POWERTOOLS_SERVICE_NAME: efemera\n"
        text = (built / "template.yaml").read_text(encoding="utf-8")
        assert text.count(variable) == 1  # all functions share it
        places = {"AWS_ENDPOINT_URL_LAMBDA": aws[1], "AWS_ENDPOINT_URL_CODEDEPLOY": aws[1], "AWS_ENDPOINT_URL_S3": s3}
        added = "".join(f"        {name}: {place}\n" for name, place in places.items())
        template = built / "with-stand-ins.yaml"
        template.write_text(text.replace(variable, variable + added), encoding="utf-8")
        (tmp_path / "variables.json").write_text(json.dumps(VARIABLES), encoding="utf-8")
        command = [SAM_BIN / "sam", "local", "invoke", function, *lambda_base, "-t", template]
        run = subprocess.run(
            [*command, "-e", EVENTS / event, "--env-vars", tmp_path / "variables.json"],
            env=OFFLINE, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout.splitlines()[-1])

    return invoked


def test_a_version_that_answers_as_it_must_gets_traffic(invoke, aws):
    assert invoke("HookFunction", "codedeploy_hook.json") == {"status": "Succeeded"}
    assert {function for function, _ in aws[0].invoked} == {VARIABLES["HookFunction"]["NEW_VERSION"]}
    asked = json.loads((EVENTS / "codedeploy_hook.json").read_text(encoding="utf-8"))
    [told] = aws[0].told
    assert (told["deploymentId"], told["status"]) == (asked["DeploymentId"], "Succeeded")


def test_a_version_whose_forecasts_are_not_pytorchs_gets_none(invoke, aws):
    def dearer(_: Any, __: Any, body: dict[str, Any]) -> None:
        for forecast in body.get("forecasts", ()):
            forecast["steps"][-1]["intervals"]["50"][1] *= 1.001

    aws[0].mutate(dearer)
    assert invoke("HookFunction", "codedeploy_hook.json") == {"status": "Failed"}
    assert aws[0].statuses == ["Failed"]


def test_a_release_is_written_down_in_the_bucket(invoke, aws, s3):
    client, address = s3
    assert invoke("ReleasedFunction", "codedeploy_released.json", address) == {"status": "Succeeded"}
    assert aws[0].statuses == ["Succeeded"]
    record = json.loads(client.get_object(Bucket="market", Key="releases/7.json")["Body"].read())
    manifest = json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))
    names = ("Api", "Plan", "Batch", "Finish")
    assert record["versions"] == {f"efemera-{name}Function": "7" for name in names}
    assert record["model_digest"] == manifest["files"]["model.onnx"][:12]
