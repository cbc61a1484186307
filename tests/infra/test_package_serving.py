"""The serving tests on the built package: the proof that nothing pruned is missed."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.bench.container import IMAGE
from tests.infra.conftest import MODELS, ROOT

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("lambda_base")]


def test_the_serving_tests_pass_on_the_package(built, tmp_path):
    """In Lambda's Python, from the package and a test runner beside it.

    The package is read-only, there is no network, and the user is nobody. Without the tests by Hypothesis, which itself
    needs the numpy.random that was pruned.
    """
    runner = tmp_path / "runner"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--only-binary=:all:",
        "--target",
        runner,
    ]
    pins = ["--python-version=3.13", "--constraint", ROOT / "infra" / "requirements-dev.txt", "pytest", "hypothesis"]
    subprocess.run([*command, *pins], check=True, capture_output=True)
    mounts = {built / "ApiFunction": "/var/task", runner: "/runner"}
    mounts |= {ROOT / name: f"/proof/{name}" for name in ("tests", "template.yaml", "infra/page")}
    mounts[MODELS] = "/proof/models"
    command = ["docker", "run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp:mode=1777", "--user=65534:65534"]
    command += [f"--volume={here}:{there}:ro" for here, there in mounts.items()]
    command += ["--env=PYTHONPATH=/var/task:/runner:/proof", "--env=PYTHONDONTWRITEBYTECODE=1", "--env=HOME=/tmp"]
    command += ["--workdir=/tmp", "--entrypoint=python3", IMAGE, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-m", "not hypothesis"]
    run = subprocess.run(
        [*command, "/proof/tests/lambda_fn/model", "/proof/tests/lambda_fn/api"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", run.stdout)[1]) > 300
