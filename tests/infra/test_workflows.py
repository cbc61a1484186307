"""The pipelines of .github/workflows: what they may do, what they run, and that their actions are pinned."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.conftest import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
USES = re.compile(r"^\s*(?:- )?uses:\s*([^.\s]\S*)(.*)$", re.M)
PINNED, VERSION = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}"), re.compile(r"\s+# v\d+\.\d+\.\d+")


def targets(script: str) -> list[str]:
    """List the targets that a script makes."""
    words = [word for line in re.findall(r"\bmake ([^|;&\n]*)", script) for word in line.split()]
    return [word for word in words if "=" not in word]


def known_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.M))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_reads_alone_ends_in_time_and_makes_what_there_is(path):
    """Hold what zizmor (`make check-workflows`) does not ask for."""
    text = path.read_text(encoding="utf-8")
    assert all(PINNED.fullmatch(action) and VERSION.fullmatch(rest) for action, rest in USES.findall(text))
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"] in ({"contents": "read"}, {"contents": "read", "id-token": "write"})
        assert "uses" in job or "timeout-minutes" in job
        for step in job.get("steps", []):
            checks_out = step.get("uses", "").startswith("actions/checkout@")
            assert not checks_out or step["with"]["persist-credentials"] is False
            assert set(targets(step.get("run", ""))) <= known_targets()


def test_only_the_deployment_gets_a_token_for_aws():
    found = {
        f"{path.stem}.{name}"
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items()
        if "id-token" in job.get("permissions", {})
    }
    assert found == {"deploy.deploy"}
    assert "AWS_SECRET_ACCESS_KEY" not in "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)


def test_a_deployment_waits_for_the_checks_and_is_never_cut_off():
    workflow = yaml.safe_load((FOLDER / "deploy.yml").read_text(encoding="utf-8"))
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert workflow["jobs"]["deploy"]["needs"] == "check"
    assert workflow["jobs"]["check"]["uses"] == "./.github/workflows/check.yml"
    assert workflow["jobs"]["deploy"]["environment"]  # its protection rules, such as who must agree


def steps_of_deploy(text: str) -> list[dict[str, Any]]:
    return yaml.safe_load(text)["jobs"]["deploy"]["steps"]


def test_packages_are_built_before_there_are_keys():
    """PyPI's code, run in a build, never meets AWS credentials."""
    steps = steps_of_deploy((FOLDER / "deploy.yml").read_text(encoding="utf-8"))
    takes = next(place for place, step in enumerate(steps) if "aws-actions/" in step.get("uses", ""))
    assert "make build" in [step.get("run") for step in steps[:takes]]
    assert [step["run"] for step in steps[takes:] if "run" in step] == ['make deploy ENV="$ENV" BUILT=1']


def git(folder: Path, *arguments: str) -> None:
    options = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *options, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_tag_that_is_not_on_main_is_not_deployed(tmp_path: Path):
    checkout, check = steps_of_deploy((FOLDER / "deploy.yml").read_text(encoding="utf-8"))[:2]
    assert checkout["with"]["fetch-depth"] == 0  # else main is not there to be asked
    assert check["if"] == "github.event_name == 'push'"  # a tag; by hand it may be any branch
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    git(there, "init", "-b", "main")
    for tag, branch in (("v1", None), ("v2", "aside")):
        if branch:
            git(there, "switch", "-c", branch)
        git(there, "commit", "--allow-empty", "-m", tag)
        git(there, "tag", "-a", tag, "-m", tag)
    git(tmp_path, "clone", str(there), str(here))
    ends = []
    for tag in ("v1", "v2"):
        environment = {**os.environ, "GITHUB_SHA": tag}
        done = subprocess.run(
            ["bash", "-ec", check["run"]], cwd=here, env=environment, capture_output=True, check=False
        )
        ends.append(done.returncode)
    assert ends == [0, 1]


def test_what_ci_runs_the_pipeline_runs_too():
    stages = set(re.findall(r"^stage (\S+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.M))
    ran = set(targets((FOLDER / "check.yml").read_text(encoding="utf-8").replace("make check\n", "make check;")))
    assert stages - ran == {"test-docker"}  # which needs Lambda's base image
