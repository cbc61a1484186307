"""Fixtures of the infra tests: the translated template, the Lambda base image, and what `make build` makes."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.infra.stack import Stack

ROOT = Path(__file__).parent.parent.parent
SAM_BIN = ROOT / ".venv-sam" / "bin"
MODELS = Path(os.environ.get("EFEMERA_MODELS") or ROOT / "models")
# No keys: SAM would hand them to the container, and ask AWS whose they are.
OFFLINE = {
    **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAM_CLI_TELEMETRY": "0",
}


def translate(template: Path) -> dict[str, Any]:
    """The CloudFormation that SAM makes of a template, without asking AWS."""
    command = [SAM_BIN / "python", ROOT / "infra" / "translate.py", template]
    return json.loads(subprocess.run(command, env=OFFLINE, check=True, capture_output=True).stdout)


@pytest.fixture(scope="session")
def translated() -> dict[str, Any]:
    """Our template as CloudFormation."""
    return translate(ROOT / "template.yaml")


@pytest.fixture(scope="session")
def stack(translated: dict[str, Any]) -> Stack:
    """The stack that our template makes with the defaults of its parameters."""
    return Stack(translated)


@pytest.fixture(scope="session")
def lambda_base() -> list[str]:
    """A Docker engine with Lambda's base image; what `sam local` must be told about it.

    `EFEMERA_LAMBDA_BASE` names a folder whose `up` prepares both. Without it, and outside CI, the machine's own engine
    is used and SAM pulls AWS's image.
    """
    folder = os.environ.get("EFEMERA_LAMBDA_BASE")
    if not folder:
        if os.environ.get("CI"):
            pytest.fail("EFEMERA_LAMBDA_BASE is not set: in CI the Lambda base image must be there")
        return []
    up = Path(folder) / "up"
    if not os.access(up, os.X_OK):
        pytest.fail(f"EFEMERA_LAMBDA_BASE: there is no {up} that can be run")
    run = subprocess.run([up], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.fail(f"{up} ended with {run.returncode}: {run.stderr or run.stdout}")
    return ["--skip-pull-image"]


@pytest.fixture(scope="session")
def gateway(lambda_base: list[str]) -> str:
    """The address that this machine has on Docker's own network, where containers reach it."""
    assert lambda_base is not None
    command = ["docker", "network", "inspect", "bridge", "--format={{json .IPAM.Config}}"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)[0]
    # An engine's first start does not always say it; Docker gives a bridge its subnet's first address.
    return found.get("Gateway") or str(next(ipaddress.ip_network(found["Subnet"]).hosts()))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make build` fills: template.yaml and ApiFunction/."""
    folder = tmp_path_factory.mktemp("build")
    made = subprocess.run(
        ["make", "build", f"BUILD_DIR={folder}", "ARCHITECTURE=x86_64"],
        cwd=ROOT, env=OFFLINE, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.fail(f"make build ended with {made.returncode}:\n{made.stdout[-2000:]}{made.stderr[-2000:]}")
    return folder
