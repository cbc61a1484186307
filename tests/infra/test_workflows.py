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
USES = re.compile(r"^\s*(?:- )?uses:\s*(\S+)(.*)$", re.M)
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
VERSION = re.compile(r"\s+# v\d+\.\d+\.\d+")
PASTED = "${{"  # into a script: what whoever names a branch writes there would be run; through `env` it is data


def flaws(text: str) -> set[str]:
    """What is wrong with a workflow, in a word each."""
    workflow = yaml.safe_load(text)
    triggers = workflow[True]  # YAML's own reading of `on`
    found = set()
    for action, rest in USES.findall(text):
        if not action.startswith("./") and not (PINNED.fullmatch(action) and VERSION.fullmatch(rest)):
            found.add("unpinned")
    if workflow.get("permissions") != {}:
        found.add("permissions")
    if "pull_request_target" in triggers or "workflow_run" in triggers:
        found.add("trigger")
    if "concurrency" not in workflow:
        found.add("concurrency")
    for job in workflow["jobs"].values():
        found |= flaws_of_job(job)
    return found


def flaws_of_job(job: dict[str, Any]) -> set[str]:
    found = set()
    permissions = job.get("permissions", {})
    if permissions.get("contents") != "read" or permissions.keys() - {"contents", "id-token"}:
        found.add("permissions")
    if "uses" not in job and "timeout-minutes" not in job:
        found.add("timeout")
    for step in job.get("steps", []):
        if PASTED in step.get("run", ""):
            found.add("injection")
        checks_out = step.get("uses", "").startswith("actions/checkout@")
        if checks_out and step.get("with", {}).get("persist-credentials") is not False:
            found.add("credentials")
        if set(targets(step.get("run", ""))) - known_targets():
            found.add("target")
    return found


def targets(script: str) -> list[str]:
    """What `make` is asked for in a script."""
    words = [word for line in re.findall(r"\bmake ([^|;&\n]*)", script) for word in line.split()]
    return [word for word in words if "=" not in word]


def known_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.M))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_flaw(path):
    assert flaws(path.read_text(encoding="utf-8")) == set()


def test_each_flaw_is_found():
    good = (FOLDER / "deploy.yml").read_text(encoding="utf-8")
    sha = re.search(r"checkout@([0-9a-f]{40})", good)[1]
    changes = {
        "unpinned": (f"@{sha} # v6.0.2", "@v6"),
        "permissions": ("permissions: {}", "permissions: write-all"),
        "trigger": ("  workflow_dispatch:", "  pull_request_target:\n  workflow_dispatch:"),
        "concurrency": ("concurrency:", "env:"),
        "timeout": ("    timeout-minutes: 60\n", ""),
        "injection": ('make deploy ENV="$ENV" BUILT=1', "make deploy ENV=${{inputs.environment}}"),
        "credentials": ("persist-credentials: false", "persist-credentials: true"),
        "target": ("make deploy", "make ship"),
    }
    for flaw, (before, after) in changes.items():
        assert before in good
        assert flaws(good.replace(before, after)) == {flaw}, flaw
    assert flaws(good.replace(" # v6.0.2", "")) == {"unpinned"}
    assert flaws(good.replace("      contents: read # to check out\n", "      contents: write\n")) == {"permissions"}


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


def keys_meet_only_the_deployment(steps: list[dict[str, Any]]) -> bool:
    """Whether packages, with what PyPI's code does in a build, are made before AWS credentials are there."""
    takes = next(place for place, step in enumerate(steps) if "aws-actions/" in step.get("uses", ""))
    scripts = [(place, step["run"]) for place, step in enumerate(steps) if "run" in step]
    built = [place for place, script in scripts if script.startswith("make build")]
    return (
        bool(built) and built[0] < takes and [s for p, s in scripts if p > takes] == ['make deploy ENV="$ENV" BUILT=1']
    )


def test_packages_are_built_before_there_are_keys():
    good = (FOLDER / "deploy.yml").read_text(encoding="utf-8")
    assert keys_meet_only_the_deployment(steps_of_deploy(good))
    assert not keys_meet_only_the_deployment(steps_of_deploy(good.replace(" BUILT=1", "")))
    assert not keys_meet_only_the_deployment(steps_of_deploy(good.replace("- run: make build", "- run: make help")))


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


@pytest.mark.sam
def test_zizmor_finds_nothing_and_would_find_an_injection(tmp_path: Path):
    command = ["make", "--no-print-directory", "check-workflows"]
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    assert subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False).returncode == 0
    bad = (FOLDER / "deploy.yml").read_text(encoding="utf-8").replace('ENV="$ENV"', "TAG=${{ github.head_ref }}")
    (tmp_path / "bad.yml").write_text(bad, encoding="utf-8")
    zizmor = [ROOT / ".venv-audit" / "bin" / "zizmor", "--offline", "--no-progress", tmp_path / "bad.yml"]
    done = subprocess.run(zizmor, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "template-injection" in done.stdout
