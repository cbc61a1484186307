"""`make deploy` after `make rollback`: what CodeDeploy must find, and that no request goes elsewhere meanwhile."""

from __future__ import annotations

import os
import subprocess

import pytest

from infra import realign, rollback
from tests.infra.conftest import ROOT, SAM_BIN
from tests.infra.test_rollback import API, BATCH, FINISH, FUNCTIONS, PLAN, deployed, refused


@pytest.fixture
def account(monkeypatch):
    with deployed(monkeypatch) as found:
        found.stack.versions = [(name, "1", "CREATE_COMPLETE") for name in FUNCTIONS]
        yield found


@pytest.fixture
def run(capsys):
    """Runs one of the two: the exit code and what it said."""

    def run(module, *arguments: str) -> tuple[int, str]:
        try:
            module.main(["--stack", "demo", *arguments])
            code = 0
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def rolled_back(account, run):
    """Release 3 has been left for 2."""
    account.release("2", "2")
    account.release("3", "3")
    assert run(rollback, "--yes")[0] == 0
    assert account.live() == ("2", "2", "2", "2")
    return account


def pointed(account) -> dict[str, tuple[str, dict[str, float]]]:
    """Function → what its alias names, and the weights of other versions."""
    found = {name: account.functions.get_alias(FunctionName=name, Name="live") for name in FUNCTIONS}
    return {
        name: (alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}))
        for name, alias in found.items()
    }


ALIGNED = {API: ("3", {"2": 1.0}), **{name: ("3", {}) for name in (PLAN, BATCH, FINISH)}}


def test_codedeploy_finds_the_stacks_version_and_requests_go_where_they_went(rolled_back, run):
    code, said = run(realign)
    assert (code, pointed(rolled_back)) == (0, ALIGNED)
    assert said.splitlines() == [
        f"{API}: live names the stack's version 3 again; every request still goes to 2",
        *(f"{name}: moved from 2 to the stack's version 3" for name in (PLAN, BATCH, FINISH)),
    ]
    assert run(realign) == (0, "")
    assert pointed(rolled_back) == ALIGNED


@pytest.mark.usefixtures("rolled_back")
def test_it_tells_where_requests_go_however_the_alias_says_it(run):
    assert run(realign, "--live") == (0, "2\n")
    assert run(realign)[0] == 0
    assert run(realign, "--live") == (0, "2\n")
    assert run(realign, "--live", "--stack", "nowhere") == (0, "")  # before a first deployment


def test_where_nothing_was_rolled_back_there_is_nothing_to_do(account, run):
    assert run(realign) == (0, "")
    account.release("2", "2")
    before = pointed(account)
    for arguments in ((), ("--after", "done"), ("--after", "failed")):
        assert run(realign, *arguments) == (0, "")
    assert pointed(account) == before
    assert "withdrawn_at" not in account.record("2")


def test_a_canary_that_would_send_requests_to_the_release_that_was_left_is_said(rolled_back, run):
    rolled_back.stack.outputs["DeploymentType"] = "Canary10Percent5Minutes"
    assert f"{API}: while the new version's canary runs, what it does not get goes to 3\n" in run(realign)[1]


def test_a_deployment_that_fails_before_codedeploy_leaves_requests_and_the_batch_goes_back(rolled_back, run):
    run(realign)
    code, said = run(realign, "--after", "failed")
    assert code == 0, said
    assert pointed(rolled_back) == {API: ("3", {"2": 1.0}), **{name: ("2", {}) for name in (PLAN, BATCH, FINISH)}}
    assert run(rollback, "--yes") == (0, "demo is at release 2 already: nothing to move\n")
    assert run(realign)[0] == 0
    assert pointed(rolled_back) == ALIGNED


def test_a_canary_that_codedeploy_takes_back_to_the_release_that_was_left_is_mended(rolled_back, run):
    run(realign)
    rolled_back.point(API, "3", {})  # CodeDeploy's end
    code, said = run(realign, "--after", "failed")
    assert (code, rolled_back.live()) == (0, ("2", "2", "2", "2")), said
    assert rolled_back.record("3")["withdrawn_at"]


def test_a_deployment_that_still_runs_is_neither_aligned_nor_mended(rolled_back, run):
    before = pointed(rolled_back)
    rolled_back.stack.deployments = ["d-1"]
    code, said = run(realign)
    assert code == 3
    assert said == "demo: a deployment is running (d-1); wait for its end, or make rollback\n"
    assert run(realign, "--after", "failed") == (0, "")
    rolled_back.stack.deployments, rolled_back.stack.status = [], "UPDATE_IN_PROGRESS"
    for arguments in ((), ("--after", "failed")):
        code, said = run(realign, *arguments)
        assert (code, said.count("\n")) == (3, 1)
    assert (pointed(rolled_back), rolled_back.stack.stopped) == (before, [])


def test_a_release_after_it_goes_live_as_ever_and_back_over_the_one_that_was_left(rolled_back, run):
    run(realign)
    rolled_back.release("4", "4")
    rolled_back.point(API, "4", {})  # CodeDeploy clears the weight
    assert run(realign, "--after", "done") == (0, "")
    assert run(rollback, "--yes")[0] == 0
    assert rolled_back.live() == ("2", "2", "2", "2")


def test_a_deployment_that_left_the_api_as_it_was_says_which_version_serves(rolled_back, run):
    run(realign)
    rolled_back.stack.versions = [(name, "3" if name == API else "4", "CREATE_COMPLETE") for name in FUNCTIONS]
    for name in (PLAN, BATCH, FINISH):
        rolled_back.point(name, "4", {})
    code, said = run(realign, "--after", "done")
    assert (code, said.count("\n")) == (0, 1)
    assert "is unchanged and still serves version 2" in said
    assert "make rollback TO=3 goes on to the stack's version 3" in said
    assert run(rollback, "--yes", "--to", "3")[0] == 0
    assert run(realign, "--after", "done") == (0, "")


def test_where_nothing_was_deployed_the_batch_goes_back_too(rolled_back, run):
    run(realign)
    code, said = run(realign, "--after", "done")
    assert code == 0
    assert pointed(rolled_back) == {API: ("3", {"2": 1.0}), **{name: ("2", {}) for name in (PLAN, BATCH, FINISH)}}
    assert "is unchanged and still serves version 2" in said.splitlines()[-1]


def test_the_record_of_a_release_that_never_stayed_is_marked(account, run):
    account.release("2", "2")
    account.put("3", {**account.record("2"), "versions": dict.fromkeys(FUNCTIONS, "3")})
    assert run(realign) == (0, f"release 3: marked as withdrawn, as version 2 of {API} is live\n")
    assert account.record("3")["withdrawn_at"]
    assert "withdrawn_at" not in account.record("2")
    assert run(realign) == (0, "")


def test_versions_that_the_stack_has_let_go_do_not_count(rolled_back, run):
    rolled_back.stack.versions += [(API, "2", "DELETE_SKIPPED"), ("demo-Hook", "9", "CREATE_COMPLETE")]
    assert run(realign)[0] == 0
    assert pointed(rolled_back) == ALIGNED


@pytest.mark.parametrize("change", ["two", "none"])
def test_a_stack_that_names_no_one_version_is_left_alone_and_that_is_said(rolled_back, run, change):
    named = rolled_back.stack.versions
    rolled_back.stack.versions = [*named, (API, "4", "CREATE_COMPLETE")] if change == "two" else named[1:]
    before = pointed(rolled_back)
    assert run(realign) == (0, "demo does not name one version of each function; its aliases were left as they are\n")
    assert run(realign, "--after", "done") == (0, "")
    assert pointed(rolled_back) == before


@pytest.mark.usefixtures("rolled_back")
def test_an_alias_that_somebody_else_moves_meanwhile_stops_it(run, monkeypatch):
    class Watched(realign.Stack):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            moved = refused(412, "PreconditionFailedException")
            self.functions.meta.events.register("before-call.lambda.UpdateAlias", lambda **_: moved)

    monkeypatch.setattr(realign, "Stack", Watched)
    assert run(realign) == (3, f"{API}: somebody else has moved it meanwhile\n")


@pytest.mark.parametrize("status", [None, "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"])
def test_a_first_deployment_has_nothing_to_align(account, run, status):
    account.stack.outputs.clear()
    account.stack.status = status or "UPDATE_COMPLETE"
    arguments = () if status else ("--stack", "nowhere")
    assert run(realign, *arguments) == (0, "")


@pytest.mark.usefixtures("account")
def test_a_stack_that_may_not_be_looked_at_is_an_error(run):
    assert run(realign, "--stack", "denied") == (2, "stack denied: no right to cloudformation:DescribeStacks\n")


@pytest.mark.sam
def test_the_module_runs_with_the_packages_of_the_sam_cli():
    command = [SAM_BIN / "python", "-W", "error", "-m", "infra.realign", "--help"]
    assert subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, check=False).returncode == 0
