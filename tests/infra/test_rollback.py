"""`make rollback`: the release it goes back to, its refusals, and what is left when it fails half way.

Lambda and S3 are moto's. CloudFormation and CodeDeploy are a small server here, as moto knows no stack with a
deployment of CodeDeploy and can't stop one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from tests.infra.conftest import OFFLINE, ROOT, SAM_BIN

SCRIPT = ROOT / "infra" / "rollback.py"
API, PLAN, BATCH, FINISH = FUNCTIONS = ("demo-Api", "demo-Plan", "demo-Batch", "demo-Finish")


@pytest.fixture
def rollback() -> ModuleType:
    """infra/rollback.py, afresh for each test."""
    spec = importlib.util.spec_from_file_location("rollback", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class OneStack(BaseHTTPRequestHandler):
    """CloudFormation with the stack `demo`, and CodeDeploy with its deployments."""

    outputs: dict[str, str]
    status: str
    deployments: list[str]
    versions: list[tuple[str, str, str]]  # function, version, status: those that the stack itself names
    stopped: list[dict[str, object]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers.get("X-Amz-Target", "")
        if target.endswith("ListDeployments"):
            asked = json.loads(body)
            assert (asked["applicationName"], asked["deploymentGroupName"]) == ("demo-App", "demo-Group")
            self.answer(200, json.dumps({"deployments": self.deployments}))
        elif target.endswith("StopDeployment"):
            self.stopped.append(json.loads(body))
            self.answer(200, json.dumps({"status": "Pending"}))
        else:
            fields = {name: values[0] for name, values in parse_qs(body).items()}
            self.answer(*getattr(self, fields["Action"])(fields))

    def DescribeStacks(self, fields: dict[str, str]) -> tuple[int, str]:  # noqa: N802 the action's name
        if fields["StackName"] == "denied":
            return 403, failed("AccessDenied", "no right to cloudformation:DescribeStacks")
        if fields["StackName"] != "demo":
            message = f"Stack with id {fields['StackName']} does not exist"
            return 400, failed("ValidationError", message)
        outputs = "".join(
            f"<member><OutputKey>{key}</OutputKey><OutputValue>{escape(value)}</OutputValue></member>"
            for key, value in self.outputs.items()
        )
        stack = f"<StackName>demo</StackName><StackStatus>{self.status}</StackStatus><Outputs>{outputs}</Outputs>"
        return 200, wrapped("DescribeStacks", f"<Stacks><member>{stack}</member></Stacks>")

    def ListStackResources(self, _: dict[str, str]) -> tuple[int, str]:  # noqa: N802 the action's name
        parts = [
            ("demo-Api", "AWS::Lambda::Function", "UPDATE_COMPLETE"),
            ("demo-App", "AWS::CodeDeploy::Application", "CREATE_COMPLETE"),
            ("demo-Group", "AWS::CodeDeploy::DeploymentGroup", "CREATE_COMPLETE"),
        ]
        arn = "arn:aws:lambda:us-east-1:123456789012:function"
        parts += [(f"{arn}:{name}:{number}", "AWS::Lambda::Version", status) for name, number, status in self.versions]
        members = "".join(
            f"<member><LogicalResourceId>x</LogicalResourceId><PhysicalResourceId>{name}</PhysicalResourceId>"
            f"<ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus></member>"
            for name, kind, status in parts
        )
        found = f"<StackResourceSummaries>{members}</StackResourceSummaries>"
        return 200, wrapped("ListStackResources", found)

    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


def failed(code: str, message: str) -> str:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"<ErrorResponse>{error}</ErrorResponse>"


def wrapped(action: str, result: str) -> str:
    return f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"


class Account:
    """An account with the stack `demo`: four functions with versions 1 to 4, alias live at 1, and a bucket."""

    def __init__(self, stack: type[OneStack]) -> None:
        self.stack = stack
        self.functions, self.s3 = boto3.client("lambda"), boto3.client("s3")
        self.s3.create_bucket(Bucket="demo-bucket")
        role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        for name in FUNCTIONS:
            self.functions.create_function(
                FunctionName=name, Runtime="python3.13", Role=role, Handler="a.b", Code={"ZipFile": package("1")}
            )
            for version in ("1", "2", "3", "4"):
                self.functions.update_function_code(FunctionName=name, ZipFile=package(version))
                assert self.functions.publish_version(FunctionName=name)["Version"] == version
            self.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    def release(self, api: str, batch: str, recorded: bool = True) -> None:
        """Deploy: the aliases move, and the hook writes its record."""
        versions = {name: api if name == API else batch for name in FUNCTIONS}
        self.stack.versions = [(name, version, "CREATE_COMPLETE") for name, version in versions.items()]
        for name, version in versions.items():
            self.functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
        record = {
            "schema_version": 1, "versions": versions, "model_version": f"m{api}", "model_digest": f"{api}" * 12,
            "released_at": f"2026-11-0{api}T12:00:00+00:00",
        }  # fmt: skip
        if recorded:
            self.put(api, record)

    def put(self, api: str, record: object) -> None:
        self.s3.put_object(Bucket="demo-bucket", Key=f"releases/{api}.json", Body=json.dumps(record).encode())

    def record(self, api: str) -> dict[str, object]:
        return json.load(self.s3.get_object(Bucket="demo-bucket", Key=f"releases/{api}.json")["Body"])

    def live(self) -> tuple[str, ...]:
        """List the versions that the aliases point to, in the order of FUNCTIONS."""
        found = [self.functions.get_alias(FunctionName=name, Name="live") for name in FUNCTIONS]
        assert not any(alias.get("RoutingConfig", {}).get("AdditionalVersionWeights") for alias in found)
        return tuple(alias["FunctionVersion"] for alias in found)

    def point(self, function: str, version: str, weights: dict[str, float]) -> None:
        routing = {"AdditionalVersionWeights": weights}
        self.functions.update_alias(FunctionName=function, Name="live", FunctionVersion=version, RoutingConfig=routing)


def package(content: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.py", content)
    return buffer.getvalue()


def refused(status: int, code: str) -> tuple[AWSResponse, dict[str, object]]:
    """An answer of AWS, for botocore to take in place of one that it would ask for."""
    parsed = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return AWSResponse("", status, {}, None), parsed


@contextlib.contextmanager
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """The account, for as long as it is asked; moto's and the small server's."""
    outputs = {"FunctionName": API, "FunctionNames": ",".join(FUNCTIONS), "BucketName": "demo-bucket"}
    state = {"outputs": outputs, "status": "UPDATE_COMPLETE", "deployments": [], "versions": [], "stopped": []}
    stack = type("Demo", (OneStack,), state)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with ThreadingHTTPServer(("127.0.0.1", 0), stack) as server, mock_aws():
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        for service in ("CLOUDFORMATION", "CODEDEPLOY"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"http://127.0.0.1:{server.server_port}")
        try:
            yield Account(stack)
        finally:
            server.shutdown()


@pytest.fixture
def account(monkeypatch):
    with deployed(monkeypatch) as found:
        yield found


@pytest.fixture
def run(rollback, capsys):
    """Runs it: the exit code and what it said."""

    def run(*arguments: str) -> tuple[int, str]:
        try:
            rollback.main(["--stack", "demo", *arguments])
            code = 0
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_it_goes_back_to_the_release_before(account, run):
    account.release("2", "2")
    account.release("3", "3")
    code, said = run("--yes")
    assert code == 0, said
    assert account.live() == ("2", "2", "2", "2")
    assert said.index(f"moved {API} to 2") < said.index(f"moved {BATCH} to 2")  # the API first
    assert f"model m3 ({'3' * 12})  →  m2 ({'2' * 12})" in said
    assert "Deploy a mended release next" in said


def test_run_twice_it_goes_back_once_and_further_only_if_told_to(account, run):
    account.release("2", "2")
    account.release("3", "3")
    account.release("4", "4")
    assert run("--yes")[0] == 0
    code, said = run("--yes")
    assert (code, account.live()) == (0, ("3", "3", "3", "3"))
    assert "at release 3 already" in said
    assert run("--yes", "--to", "2")[0] == 0
    assert account.live() == ("2", "2", "2", "2")


def test_a_release_that_was_left_is_not_come_back_to(account, run):
    account.release("2", "2")
    account.release("3", "3")
    assert run("--yes")[0] == 0
    account.release("4", "4")  # the mended one, which is bad too
    assert run("--yes")[0] == 0
    assert account.live() == ("2", "2", "2", "2")
    assert account.record("3")["withdrawn_at"]
    assert run("--yes", "--to", "4")[0] == 0  # unless it is named, and is live again then
    assert account.live() == ("4", "4", "4", "4")
    assert "withdrawn_at" not in account.record("4")
    assert "withdrawn_at" in account.record("3")


def test_a_change_of_the_batch_functions_alone_is_undone(account, run):
    account.release("2", "2")
    account.release("2", "3", recorded=False)  # the hook runs with the API's canary only
    assert run("--yes")[0] == 0
    assert account.live() == ("2", "2", "2", "2")


def test_without_an_earlier_record_it_goes_back_to_the_first_deployment(account, run):
    account.release("2", "3")
    code, said = run("--yes")
    assert (code, account.live()) == (0, ("1", "1", "1", "1"))
    assert "of the first deployment" in said


def test_the_first_deployment_has_nothing_to_go_back_to(account, run):
    code, said = run("--yes")
    assert (code, account.live()) == (3, ("1", "1", "1", "1"))
    assert said == "demo: there is nothing to go back to, this is its first release\n"


def test_a_version_that_was_deleted_stops_it_before_anything_is_moved(account, run):
    account.release("2", "2")
    account.release("3", "3")
    account.functions.delete_function(FunctionName=FINISH, Qualifier="2")
    code, said = run("--yes")
    assert (code, account.live()) == (3, ("3", "3", "3", "3"))
    assert f"version 2 of {FINISH} has been deleted; nothing was moved" in said
    assert "withdrawn_at" not in account.record("3")


def test_an_alias_that_somebody_else_moves_meanwhile_is_left_and_the_next_run_ends_it(
    account, run, rollback, monkeypatch
):
    account.release("2", "2")
    account.release("3", "3")
    revisions = {}

    def moved_meanwhile(params, **_):
        """Lambda's answer to a revision that is no longer the alias's, which moto takes."""
        name = params["url_path"].split("/functions/")[1].split("/")[0]
        revisions[name] = json.loads(params["body"])["RevisionId"]
        return refused(412, "PreconditionFailedException") if name == BATCH else None

    class Watched(rollback.Stack):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            self.functions.meta.events.register("before-call.lambda.UpdateAlias", moved_meanwhile)

    known = {name: account.functions.get_alias(FunctionName=name, Name="live")["RevisionId"] for name in FUNCTIONS}
    with monkeypatch.context() as patched:
        patched.setattr(rollback, "Stack", Watched)
        code, said = run("--yes")
    assert (code, account.live()) == (3, ("2", "2", "3", "3"))
    assert f"{BATCH}: somebody else has moved it meanwhile\nmoved: {API}, {PLAN}\nnot moved: {BATCH}, {FINISH}" in said
    assert revisions == {name: known[name] for name in (API, PLAN, BATCH)}
    assert run("--yes")[0] == 0
    assert account.live() == ("2", "2", "2", "2")
    assert account.record("3")["withdrawn_at"]


def test_a_running_canary_is_stopped_and_codedeploy_moves_it_back(account, run):
    account.release("2", "2")
    weights = {"AdditionalVersionWeights": {"3": 0.1}}
    account.functions.update_alias(FunctionName=API, Name="live", FunctionVersion="2", RoutingConfig=weights)
    account.stack.deployments, account.stack.status = ["d-123"], "UPDATE_IN_PROGRESS"
    code, said = run("--yes")
    assert code == 0, said
    assert account.stack.stopped == [{"deploymentId": "d-123", "autoRollbackEnabled": True}]
    alias = account.functions.get_alias(FunctionName=API, Name="live")
    assert alias["RoutingConfig"] == weights  # CodeDeploy's to clear
    assert run("--yes", "--to", "2")[0] == 3
    assert len(account.stack.stopped) == 1


def test_a_canary_that_was_left_half_way_is_cleared(account, run):
    account.release("2", "2")
    weights = {"AdditionalVersionWeights": {"3": 0.1}}
    account.functions.update_alias(FunctionName=API, Name="live", FunctionVersion="2", RoutingConfig=weights)
    code, said = run("--yes")
    assert (code, account.live()) == (0, ("2", "2", "2", "2"))
    assert "2 + 10% 3  →  2" in said


def test_a_weight_of_everything_counts_as_the_version_that_serves(account, run):
    account.release("2", "2")
    account.release("3", "3")
    assert run("--yes")[0] == 0
    account.point(API, "3", {"2": 1.0})  # as realign.py leaves it
    code, said = run("--yes")
    assert (code, said) == (0, "demo is at release 2 already: nothing to move\n")
    code, said = run("--yes", "--to", "3")
    assert (code, account.live()) == (0, ("3", "3", "3", "3"))
    assert "3 + 100% 2  →  3" in said
    assert f"model m2 ({'2' * 12})  →  m3 ({'3' * 12})" in said
    account.point(API, "3", {"2": 0.0})
    assert run("--yes")[0] == 0
    assert account.live() == ("2", "2", "2", "2")


def test_a_stopped_deployment_that_goes_back_to_a_release_that_was_left_is_said(account, run):
    account.release("2", "2")
    account.release("3", "3")
    assert run("--yes")[0] == 0
    account.point(API, "3", {"4": 0.1})  # a canary after realign.py
    account.stack.deployments = ["d-123"]
    code, said = run("--yes")
    assert code == 0
    assert "That goes back to version 3, whose release had been left: then run this again.\n" in said
    account.point(API, "2", {"4": 0.1})
    assert "had been left" not in run("--yes")[1]


@pytest.mark.parametrize(("status", "code"), [("UPDATE_IN_PROGRESS", 3), ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", 0)])
def test_a_stack_in_the_middle_of_an_update_is_left_alone(account, run, status, code):
    account.release("2", "2")
    account.stack.status = status
    assert run("--yes")[0] == code
    assert account.live()[0] == ("2" if code else "1")


@pytest.mark.parametrize("answer", ["", "n", "no"])
def test_it_asks_first_and_no_is_no(account, run, monkeypatch, answer):
    account.release("2", "2")
    monkeypatch.setattr("sys.stdin", io.StringIO(answer + "\n"))
    code, said = run()
    assert (code, account.live()) == (3, ("2", "2", "2", "2"))
    assert "Move them? [y/N]" in said


def test_a_yes_moves_and_where_nobody_can_answer_nothing_moves(account, run, monkeypatch):
    account.release("2", "2")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code, said = run()
    assert (code, account.live()) == (2, ("2", "2", "2", "2"))
    assert "say --yes" in said
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run()[0] == 0
    assert account.live() == ("1", "1", "1", "1")


def test_a_record_that_cannot_be_read_is_named_and_left_out(account, run):
    account.release("2", "2")
    account.release("3", "3")
    account.put("2", {"schema_version": 1, "versions": {API: "2"}})
    code, said = run("--yes")
    assert (code, account.live()) == (0, ("1", "1", "1", "1"))
    assert "s3://demo-bucket/releases/2.json: not a record of a release of this stack; left out" in said


def test_a_record_that_cannot_be_marked_is_told_and_marked_by_the_next_run(account, run, rollback, monkeypatch):
    account.release("2", "2")
    account.release("3", "3")

    class ReadOnly(rollback.Stack):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            self.s3.meta.events.register("before-call.s3.PutObject", lambda **_: refused(403, "AccessDenied"))

    with monkeypatch.context() as patched:
        patched.setattr(rollback, "Stack", ReadOnly)
        code, said = run("--yes")
    assert (code, account.live()) == (3, ("2", "2", "2", "2"))
    assert "release 2 is live, but s3://demo-bucket/releases/3.json could not be marked" in said
    assert run("--yes")[0] == 0
    assert account.live() == ("2", "2", "2", "2")
    assert account.record("3")["withdrawn_at"]


def test_a_stack_or_a_release_that_is_not_there_is_bad_input(account, run, rollback, capsys):
    account.release("2", "2")
    code, said = run("--to", "9")
    assert (code, said) == (2, "demo has no record of a release 9; there are 2, 1\n")
    with pytest.raises(SystemExit, match="2"):
        rollback.main(["--stack", "nowhere"])
    assert capsys.readouterr().err == "stack nowhere: Stack with id nowhere does not exist\n"
    assert run("--stack", "denied") == (2, "stack denied: no right to cloudformation:DescribeStacks\n")
    del account.stack.outputs["FunctionNames"]
    assert run("--yes") == (2, "stack demo: it has no output FunctionNames; is it one of Efemera's?\n")
    account.stack.status = "ROLLBACK_COMPLETE"
    assert run("--yes") == (2, "stack demo is ROLLBACK_COMPLETE: nothing of it is live\n")


def test_without_credentials_it_says_so_in_one_line():
    command = [sys.executable, "-W", "error", "-m", "infra.rollback", "--stack", "demo"]
    done = subprocess.run(command, cwd=ROOT, env=OFFLINE, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "AWS: Unable to locate credentials\n"


@pytest.mark.sam
@pytest.mark.parametrize("script", [("-m", "infra.rollback"), ("infra/smoke.py",)])
def test_the_script_runs_with_the_packages_of_the_sam_cli(script):
    command = [SAM_BIN / "python", "-W", "error", *script, "--help"]
    assert subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, check=False).returncode == 0
