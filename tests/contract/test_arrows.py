"""The arrow points one way: what is deployed knows nothing of how it was trained, and both have the same versions."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("api", "batch", "deploy")
# Powertools imports the empty top of botocore where it is installed, half a millisecond, as on Lambda itself.
NOT_FOR_A_FORECAST = {
    *("export", "torch", "onnx", "onnxscript", "pandas", "pydantic", "matplotlib", "typer", "rich"),
    *("duckdb", "boto3", "botocore.session", "botocore.client", "aws_xray_sdk", "google", "scipy", "jsonschema"),
}


def requirements(package: str, suffix: str) -> str:
    return (ROOT / "lambda_fn" / package / f"requirements.{suffix}").read_text(encoding="utf-8")


def locked(package: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+)==(\S+) ", requirements(package, "txt"), re.M))


def test_imports_keep_the_contracts_of_pyproject_toml():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_a_first_answer_loads_nothing_it_does_not_need():
    code = """
import sys
from lambda_fn.api.handler import handler
event = {"version": "2.0", "rawPath": "/predict", "headers": {}, "body": '{"prices": [%s]}' % ", ".join(["40"] * 60),
         "requestContext": {"http": {"method": "POST", "path": "/predict"}, "stage": "$default"}}
assert handler(event, None)["statusCode"] == 200
print(*sys.modules)
"""
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(loaded.stdout.split()) & NOT_FOR_A_FORECAST


@pytest.mark.parametrize("package", PACKAGES)
def test_training_and_serving_pin_the_same_versions(package):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    trained = dict(line.split("==") for line in project["dependencies"])
    lines = requirements(package, "in").splitlines()
    served = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert served
    assert served.items() <= trained.items()
    assert served.items() <= locked(package).items()
    assert requirements(package, "txt").count("--hash=sha256:") > len(served)


def test_the_packages_hold_the_same_version_of_what_several_hold():
    assert locked("api").items() <= locked("batch").items()
    assert locked("deploy").items() <= locked("batch").items()


def test_no_requirement_names_where_packages_come_from():
    lists = [*ROOT.glob("lambda_fn/*/requirements*"), *ROOT.glob("infra/requirements*")]
    assert len(lists) == 2 * len(PACKAGES) + 5
    for path in (ROOT / "pyproject.toml", *lists):
        assert "://" not in path.read_text(encoding="utf-8")
        assert "index-url" not in path.read_text(encoding="utf-8")
