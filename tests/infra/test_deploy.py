"""`make deploy`: the order of its steps, and what it does when the deployed API does not answer well.

SAM and the scripts are stand-ins here that write down how they were called.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.infra.conftest import ROOT

pytestmark = pytest.mark.sam  # make asks for .venv-sam first


@pytest.fixture
def make(tmp_path: Path):
    """Runs make with stand-ins; `smoke` and `rollback` are what those end with. Its exit code and the calls."""
    calls = tmp_path / "calls"
    stand_in = tmp_path / "stand-in"
    stand_in.write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\n'
        'case "$*" in *smoke.py*) exit "$SMOKE_ENDS";; *rollback.py*) exit "$ROLLBACK_ENDS";; esac\n',
        encoding="utf-8",
    )
    stand_in.chmod(0o755)

    def make(*arguments: str, smoke: int = 0, rollback: int = 0, ci: bool = False) -> tuple[int, list[str]]:
        calls.write_text("", encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if name not in ("CI", "MAKEFLAGS", "MAKELEVEL")}
        environment = {
            **kept,
            "SMOKE_ENDS": str(smoke),
            "ROLLBACK_ENDS": str(rollback),
            **({"CI": "true"} if ci else {}),
        }
        command = ["make", "--no-print-directory", *arguments, f"SAM={stand_in}", f"DEPLOYED={stand_in}"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, calls.read_text(encoding="utf-8").splitlines()

    return make


def test_it_builds_deploys_and_asks(make):
    code, (build, deploy, smoke) = make("deploy", "ENV=prod")
    assert code == 0
    assert build.startswith("build ")
    assert deploy == "deploy --config-env prod --stack-name efemera-prod --template-file .aws-sam/build/template.yaml"
    assert smoke == "infra/smoke.py --stack efemera-prod --expect-digest"


def test_a_pipeline_is_not_asked_to_confirm(make):
    _, calls = make("deploy", "ENV=prod", ci=True)
    assert calls[1].endswith(" --no-confirm-changeset")


@pytest.mark.parametrize("rollback", [0, 3])  # 3: the first deployment has nothing to go back to
def test_an_api_that_does_not_answer_well_is_rolled_back_and_the_deployment_has_failed(make, rollback):
    code, calls = make("deploy", "ENV=dev", smoke=3, rollback=rollback)
    assert code == 2  # make's own, for any recipe that fails
    assert calls[3] == "infra/rollback.py --stack efemera-dev --yes"


def test_an_api_that_could_not_be_asked_is_left(make):
    code, calls = make("deploy", "ENV=dev", smoke=2)  # such as for want of a token
    assert (code, len(calls)) == (2, 3)


def test_packages_for_another_processor_than_the_templates_are_not_deployed(make):
    for arguments in (("ENV=dev", "ARCHITECTURE=arm64"), ("ENV=staging",)):
        assert make("deploy", *arguments) == (2, [])


def test_a_rollback_takes_a_stack_and_a_release(make):
    assert make("rollback", "STACK=mine", "TO=7") == (0, ["infra/rollback.py --stack mine --to 7"])
