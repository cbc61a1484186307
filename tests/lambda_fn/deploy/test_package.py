"""The hooks run where only the standard library and boto3 are installed, in the versions of the batch package."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
NOT_IN_THE_PACKAGE = ("numpy", "msgspec", "onnxruntime", "aws_lambda_powertools", "duckdb", "export", "torch", "pandas")
BLOCKED = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_IN_THE_PACKAGE!r}:
            raise ImportError(name + " is not in the hooks' package")
sys.meta_path.insert(0, Blocked())
"""
PRINT_OWN = "print(*sorted(name for name in sys.modules if name.startswith('lambda_fn')))"


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own where those packages can't be imported."""
    command = [sys.executable, "-W", "error", "-c", BLOCKED + code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pre_traffic_hook", "post_traffic_hook"])
def test_a_hook_needs_boto3_and_the_standard_library_alone(name):
    run = python(f"from lambda_fn.deploy.{name} import handler; assert callable(handler); {PRINT_OWN}")
    assert run.returncode == 0, run.stderr
    own = {f"lambda_fn.deploy.{part}" for part in ("lifecycle_hook", "pre_traffic_hook", "post_traffic_hook")}
    tables = {"lambda_fn.tables", *(f"lambda_fn.tables.{part}" for part in ("errors", "s3", "store"))}
    allowed = {"lambda_fn", "lambda_fn.deploy", *tables, *own}
    assert (
        {"lambda_fn", "lambda_fn.deploy.lifecycle_hook", f"lambda_fn.deploy.{name}"}
        <= set(run.stdout.split())
        <= allowed
    )


def pinned(package: str) -> dict[str, str]:
    """Read the locked versions of a package."""
    text = (ROOT / "lambda_fn" / package / "requirements.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)==(\S+) \\$", text, re.MULTILINE))


def test_what_the_hooks_hold_is_what_the_batch_functions_hold_of_it():
    assert pinned("deploy").keys() == {
        "boto3",
        "botocore",
        "jmespath",
        "python-dateutil",
        "s3transfer",
        "six",
        "urllib3",
    }
    assert pinned("deploy").items() <= pinned("batch").items()


@pytest.mark.parametrize("name", ["hook", "released"])
def test_an_event_is_what_codedeploy_sends(name):
    event = json.loads((ROOT / "tests" / "events" / f"codedeploy_{name}.json").read_text(encoding="utf-8"))
    assert event.keys() == {"DeploymentId", "LifecycleEventHookExecutionId"}
    assert re.fullmatch(r"d-[A-Z0-9]{9}", event["DeploymentId"])
