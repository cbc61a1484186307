"""`make deploy`: the order of its steps, and what it does when the deployed API does not answer well.

SAM and the scripts are stand-ins here that write down how they were called.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import OFFLINE, ROOT, SAM_BIN

pytestmark = pytest.mark.sam  # make asks for .venv-sam first


@pytest.fixture
def make(tmp_path: Path):
    """Runs make with stand-ins, which end as they are told to. Its exit code and the calls.

    `behind` is what realign.py says after a deployment; what make itself says is in `make.said`.
    """
    calls = tmp_path / "calls"
    stand_in = tmp_path / "stand-in"
    stand_in.write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\n'
        'case "$*" in *smoke.py*) exit "$SMOKE_ENDS";; *infra.rollback*) exit "$ROLLBACK_ENDS";;\n'
        '  "deploy "*) exit "$DEPLOY_ENDS";; *"--after done") printf %s "$BEHIND";;\n'
        f'  *--live) [ "$IS_NEW" = 1 ] && wc -l < {calls} || echo 7;;\n'  # another number each time, or the same
        '  *realign*--after*) ;; *realign*) exit "$REALIGN_ENDS";; esac\n',
        encoding="utf-8",
    )
    stand_in.chmod(0o755)

    def make(
        *arguments: str, ci: bool = False, behind: str = "", is_new: bool = True, **ends: int
    ) -> tuple[int, list[str]]:
        calls.write_text("", encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if name not in ("CI", "MAKEFLAGS", "MAKELEVEL")}
        environment = {
            **kept,
            **{f"{name.upper()}_ENDS": str(ends.get(name, 0)) for name in ("realign", "deploy", "smoke", "rollback")},
            "BEHIND": behind,
            "IS_NEW": str(int(is_new)),
            **({"CI": "true"} if ci else {}),
        }
        command = ["make", "--no-print-directory", *arguments, f"SAM={stand_in}", f"DEPLOYED={stand_in}"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        make.said = done.stdout
        said = calls.read_text(encoding="utf-8").splitlines()
        return done.returncode, [call for call in said if not call.endswith(" --live")]

    return make


def test_it_builds_deploys_and_asks(make):
    code, (build, align, deploy, aligned, smoke) = make("deploy", "ENV=prod")
    assert code == 0
    assert build.startswith("build ")
    assert align == "-m infra.realign --stack efemera-prod"
    assert deploy == (
        f"deploy --config-file {ROOT}/samconfig.toml --config-env prod --stack-name efemera-prod"
        " --template-file .aws-sam/build/template.yaml"
    )
    assert aligned == f"{align} --after done"
    assert smoke == "infra/smoke.py --stack efemera-prod --expect-digest"


def as_sam_reads(arguments: list[str]) -> dict[str, Any]:
    """Run the real `sam deploy` up to its parameters, from arguments and samconfig.toml; it deploys nothing."""
    script = (
        "import json, sys\n"
        "from samcli.commands.deploy.command import cli\n"
        "context = cli.make_context('deploy', sys.argv[1:])\n"
        "print(json.dumps(context.params, default=list))\n"
    )
    command = [SAM_BIN / "python", "-c", script, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=OFFLINE, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_sam_finds_what_samconfig_says_of_the_environment(make, tmp_path):
    shutil.copy(ROOT / "template.yaml", tmp_path)  # SAM reads it; the built one is likewise in another folder
    calls = make("deploy", "ENV=prod", f"BUILD_DIR={tmp_path}")[1]
    arguments = next(call for call in calls if call.startswith("deploy ")).split()[1:]
    said = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))["prod"]["deploy"]["parameters"]
    read = as_sam_reads(arguments)
    for name in ("resolve_s3", "s3_prefix", "confirm_changeset", "fail_on_empty_changeset", "capabilities"):
        assert read[name] == said[name], name
    assert read["parameter_overrides"] == dict(pair.split("=") for pair in said["parameter_overrides"])
    assert read["tags"] == dict(pair.split("=") for pair in said["tags"])
    flag = arguments.index("--config-file")
    without = as_sam_reads(arguments[:flag] + arguments[flag + 2 :])
    assert not without["resolve_s3"]
    assert not without["parameter_overrides"]


def test_packages_that_are_built_already_are_not_built_again(make):
    code, calls = make("deploy", "ENV=prod", "BUILT=1")
    assert (code, len(calls)) == (0, 4)
    assert not any(call.startswith("build") for call in calls)


def test_a_stack_that_cannot_be_aligned_is_not_deployed(make):
    code, calls = make("deploy", "ENV=dev", realign=3)
    assert (code, len(calls)) == (2, 2)


def test_a_deployment_that_fails_asks_nothing_and_puts_back_what_was_aligned(make):
    code, calls = make("deploy", "ENV=dev", deploy=1)
    assert code == 2
    assert calls[3:] == ["-m infra.realign --stack efemera-dev --after failed"]


def test_an_api_that_is_behind_the_stack_is_asked_whatever_its_model_and_that_is_said_at_the_end(make):
    code, calls = make("deploy", "ENV=dev", behind="demo-Api is unchanged")
    assert (code, calls[-1]) == (0, "infra/smoke.py --stack efemera-dev")
    assert make.said.endswith("\ndemo-Api is unchanged\n")


def test_a_pipeline_is_not_asked_to_confirm(make):
    _, calls = make("deploy", "ENV=prod", ci=True)
    assert calls[2].endswith(" --no-confirm-changeset")


@pytest.mark.parametrize("rollback", [0, 3])  # 3: the first deployment has nothing to go back to
def test_an_api_that_does_not_answer_well_is_rolled_back_and_the_deployment_has_failed(make, rollback):
    code, calls = make("deploy", "ENV=dev", smoke=3, rollback=rollback)
    assert code == 2  # make's own, for any recipe that fails
    assert calls[5] == "-m infra.rollback --stack efemera-dev --yes"


def test_an_api_that_could_not_be_asked_is_left(make):
    code, calls = make("deploy", "ENV=dev", smoke=2)  # such as for want of a token
    assert (code, len(calls)) == (2, 5)


def test_an_api_that_was_not_changed_is_not_rolled_back(make):
    """Such as after "no" to the changes: what answers is the release before, and it stays."""
    code, calls = make("deploy", "ENV=prod", smoke=3, is_new=False)
    assert code == 2
    assert not any("infra.rollback" in call for call in calls)


def test_packages_for_another_processor_than_the_templates_are_not_deployed(make):
    for arguments in (("ENV=dev", "ARCHITECTURE=arm64"), ("ENV=staging",)):
        assert make("deploy", *arguments) == (2, [])


def test_a_rollback_takes_a_stack_and_a_release(make):
    assert make("rollback", "STACK=mine", "TO=7") == (0, ["-m infra.rollback --stack mine --to 7"])
