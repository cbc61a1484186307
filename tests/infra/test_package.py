"""The packages that `make build` makes: what is in them, what they weigh, and that they are the same every time."""

from __future__ import annotations

import subprocess

import pytest

from infra import weight
from infra.own_modules import SOURCE, own_modules
from infra.packages import PACKAGES
from tests.infra.conftest import OFFLINE, ROOT

pytestmark = pytest.mark.docker

FUNCTIONS = {
    "ApiFunction": "api",
    "PlanFunction": "batch",
    "BatchFunction": "batch",
    "FinishFunction": "batch",
    "HookFunction": "deploy",
    "ReleasedFunction": "deploy",
}
OF_BOTO3 = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3"}
OF_MODEL = {
    "aws_lambda_powertools", "jmespath", "msgspec", "numpy", "numpy.libs", "onnxruntime", "typing_extensions.py",
}  # fmt: skip
IN_ROOT = {
    "api": OF_MODEL,
    "batch": OF_MODEL | OF_BOTO3 | {"_duckdb.abi3.so", "duckdb", "tzdata"},
    "deploy": OF_BOTO3,
}
MODEL = {"manifest.json", "model.onnx", "weights.npz", "golden.json", "parity.json"}
MODEL_FILES = {"api": MODEL, "batch": MODEL, "deploy": {"manifest.json", "golden.json"}}


def test_every_function_of_the_template_is_here(translated):
    functions = {name for name, one in translated["Resources"].items() if one["Type"] == "AWS::Lambda::Function"}
    assert functions == FUNCTIONS.keys()


@pytest.mark.parametrize(("name", "kind"), FUNCTIONS.items())
def test_a_package_holds_what_its_function_needs_and_nothing_else(built, name, kind):
    package = built / name
    entries = {path.name for path in package.iterdir() if not path.name.endswith(".dist-info")}
    # __pycache__: of the modules in the root, where the builder had Lambda's Python
    assert entries - {"__pycache__"} == IN_ROOT[kind] | {"lambda_fn", "models", "sbom.cdx.json"}
    models = {path.name for path in (package / "models").iterdir()}
    optional = set() if kind == "deploy" else {"evaluation.json", "sessions.json"}
    assert MODEL_FILES[kind] <= models <= MODEL_FILES[kind] | optional
    files = (path.relative_to(package / "lambda_fn") for path in (package / "lambda_fn").rglob("*") if path.is_file())
    ours = {str(path) for path in files if path.parent.name != "__pycache__"}
    expected = {str(path.relative_to(SOURCE)) for path in own_modules(PACKAGES[kind].handlers)}
    assert ours == expected | {*PACKAGES[kind].data}


def test_packages_know_no_service_of_aws_that_they_never_call(built):
    for name, services in (("BatchFunction", {"s3"}), ("HookFunction", {"codedeploy", "lambda", "s3"})):
        data = built / name / "botocore" / "data"
        assert {path.name for path in data.iterdir() if path.is_dir()} == services
    assert (built / "BatchFunction" / "tzdata" / "zoneinfo" / "America" / "Sao_Paulo").exists()


@pytest.mark.parametrize("kind", ["batch", "deploy"])
def test_functions_of_one_kind_have_one_package(built, kind):
    assert len({weight.digest(built / name) for name, its in FUNCTIONS.items() if its == kind}) == 1


@pytest.mark.parametrize("name", ["ApiFunction", "BatchFunction", "HookFunction"])
def test_two_builds_are_equal_whatever_the_umask(built, tmp_path, name):
    command = ["make", "-s", f"build-{name}", f"ARTIFACTS_DIR={tmp_path / 'again'}"]
    again = subprocess.run(command, cwd=ROOT, env=OFFLINE, umask=0o077, capture_output=True, text=True, check=True)
    digest = weight.digest(built / name)
    assert f"sha256 {digest}" in again.stdout
    assert weight.digest(tmp_path / "again") == digest
    for path in (tmp_path / "again").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


@pytest.mark.parametrize("name", ["ApiFunction", "BatchFunction", "HookFunction"])
def test_a_package_is_within_its_limits(built, name):
    kind = FUNCTIONS[name]
    assert weight.size(built / name) <= PACKAGES[kind].largest
    assert weight.zipped(built / name) <= PACKAGES[kind].largest_zipped
