"""The built packages, not the source tree, in Lambda's image under AWS's runtime emulator.

Each has its own files and no others, which it can't write; no network; nobody's rights; the template's memory.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lambda_fn.api.handler import handler
from lambda_fn.batch import plan
from tests.infra import test_sam_local
from tests.infra.conftest import MODELS
from tests.infra.emulator import Emulated, emulated
from tests.infra.test_events import OF_GATEWAY, load
from tests.infra.test_state_machine import THURSDAY, write_prices

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("lambda_base")]

predicted = test_sam_local.predicted  # the same fixture: what `efemera predict` says
NO_RUN = {"out": "/tmp/none", "work": "/tmp/none", "as_of": "2026-11-20", "run": "0-0"}

LOOK = """
import errno, json, os, pathlib, socket
def refused(path):
    try:
        pathlib.Path(path).touch()
    except OSError as error:
        return errno.errorcode[error.errno]
limits = map(pathlib.Path, ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"))
print(json.dumps({
    "user": os.getuid(),
    "writes": [refused("/var/task/new"), refused("/opt/new")],
    "networks": [name for _, name in socket.if_nameindex()],
    "memory": [int(limit.read_text()) for limit in limits if limit.exists()],
}))
"""


@pytest.fixture(scope="module")
def served(built: Path, translated: dict[str, Any]) -> Iterator[Emulated]:
    """The API function."""
    with emulated(built, translated, "ApiFunction") as function:
        yield function


def decoded(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer with its body as JSON says it."""
    body = gzip.decompress(base64.b64decode(answer["body"])) if answer["isBase64Encoded"] else answer["body"]
    return {**answer, "body": json.loads(body)}


def test_the_package_runs_as_closed_in_as_this_file_says(served):
    assert json.loads(served.run(LOOK)) == {
        "user": 65534,
        "writes": ["EROFS", "EROFS"],
        "networks": ["lo"],
        "memory": [512 * 2**20],
    }


@pytest.mark.parametrize("name", [path.stem for path in OF_GATEWAY if "rawPath" in load(path.stem)])
def test_the_package_answers_every_event_as_the_source_does(served, name):
    event = load(name)
    context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 10_000)
    [answer] = served.ask(event)
    expected = handler(event, context)
    assert decoded(answer) == decoded(expected)
    assert answer["statusCode"] < 500


def test_the_package_forecasts_what_the_command_line_does(served, predicted):
    for answer in served.ask(load("predict"), load("predict_base64")):
        assert answer["statusCode"] == 200
        test_sam_local.same_forecast(decoded(answer)["body"], predicted)


def test_the_package_names_the_model_that_was_built_in(served):
    [answer] = served.ask(load("health"))
    manifest = json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))
    assert decoded(answer)["body"]["model_digest"] == manifest["files"]["model.onnx"][:12]


@pytest.mark.parametrize(
    ("name", "event", "refusal"),
    [
        ("PlanFunction", {"settings": load("batch_plan")["settings"]}, "BatchRefused"),
        ("BatchFunction", {"place": NO_RUN, "shard": 0}, "BatchRefused"),
        ("FinishFunction", {"place": NO_RUN}, "BatchRefused"),
        ("HookFunction", load("codedeploy_hook"), "EndpointConnectionError"),
        ("ReleasedFunction", load("codedeploy_released"), "EndpointConnectionError"),
    ],
)
def test_each_function_starts_and_refuses_by_name(built, translated, name, event, refusal):
    """A hook without a network can't tell CodeDeploy what it found, and says so."""
    with emulated(built, translated, name, variables={"VERSIONS": "none", "NEW_VERSION": "none"}) as function:
        [answer] = function.ask(event)
        log = function.log()
    assert answer.get("errorType") == refusal, log
    assert refusal in log


def test_the_hooks_have_clients_for_what_they_call(built, translated):
    script = (
        "import sys; sys.path.insert(0, '/var/task')\n"
        "import boto3\n"
        "for service in ('codedeploy', 'lambda', 's3'):\n"
        "    print(boto3.client(service).meta.endpoint_url)\n"
    )
    with emulated(built, translated, "HookFunction") as function:
        told = function.run(script).splitlines()
    assert [url.split(".")[0] for url in told] == ["https://codedeploy", "https://lambda", "https://s3"]


@pytest.fixture
def tampered(built: Path, tmp_path: Path, request: pytest.FixtureRequest) -> dict[Path, str]:
    """One byte of one file of the model changed, laid over the package."""
    content = bytearray((built / "ApiFunction" / "models" / request.param).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / request.param).write_bytes(content)
    return {_readable(tmp_path / request.param): f"/var/task/models/{request.param}"}


def _readable(path: Path) -> Path:
    """The same path, which nobody's rights are enough to read."""
    for one in [path, *path.rglob("*")]:
        one.chmod(0o755 if one.is_dir() else 0o644)
    return path


def refusals(log: str) -> list[str]:
    """The lines that the metric filter of the template counts."""
    return [line for line in log.splitlines() if "ModelRefused" in line]


@pytest.mark.parametrize("tampered", ["model.onnx", "golden.json"], indirect=True)
def test_a_tampered_package_does_not_start_and_its_log_says_why(built, translated, tampered):
    with emulated(built, translated, "ApiFunction", tampered) as function:
        [answer] = function.ask(load("predict"))
        log = function.log()
    assert "statusCode" not in answer, answer
    [file] = tampered.values()
    assert any(f"{file}: not the file that manifest.json names" in line for line in refusals(log)), log


@pytest.mark.parametrize("tampered", ["model.onnx", "golden.json"], indirect=True)
def test_a_tampered_worker_forecasts_nothing_and_its_log_says_why(built, translated, tampered, tmp_path, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    prices, out = write_prices(tmp_path / "closes.parquet", THURSDAY), tmp_path / "out"
    settings = {"prices": str(prices), "out": str(out), "calendar": "BVMF", "time_zone": "America/Sao_Paulo"}
    place = plan.handler({"settings": settings, "input": {"as_of": str(THURSDAY)}}, None)["place"]
    there = {"place": {**place, "out": "/out", "work": place["work"].replace(str(out), "/out")}, "shard": 0}
    with emulated(built, translated, "BatchFunction", {**tampered, _readable(out): "/out"}) as function:
        [answer] = function.ask(there)
        log = function.log()
    assert answer["errorType"] == "ModelRefused", answer
    [file] = tampered.values()
    assert any(f"{file}: not the file that manifest.json names" in line for line in refusals(log)), log
    assert not list(out.rglob("done/*"))


def test_every_kind_of_answer_comes_from_the_package_within_a_quarter_of_its_memory(built, translated):
    """Nothing that was pruned is missed, in Lambda's Python, without site-packages."""
    script = Path(__file__).with_name("every_answer.py")
    with emulated(built, translated, "ApiFunction") as function:
        found = json.loads(function.run(script.read_text(encoding="utf-8")).splitlines()[-1])
    assert found["statuses"] == [*[200] * 9, 400, 404, 405, 415, 422, 503, 500]
    assert found["megabytes"] < 128
