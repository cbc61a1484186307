"""The arrow points one way: what is deployed knows nothing of how it was trained."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MAY_CALL_THE_DEPLOYED_CODE = {
    *("bundle.py", "parity.py", "demo.py", "predict.py", "explain.py", "lab.py", "serve.py"),
    *("batch.py", "local_batch.py", "workers.py", "fixed_model.py"),
}
NEVER_DEPLOYED = {
    "export",
    "torch",
    "onnx",
    "onnxscript",
    "pandas",
    "pydantic",
    "matplotlib",
    "typer",
    "rich",
}
# The files of a batch run: they alone may import what the API's package does not hold, and the API none of them.
BATCH = {
    *("plan", "input_files", "input_columns", "input_rows", "closes", "last_closes", "sharding", "earlier_runs", "sql"),
    *("batch", "shard", "score"),
    *("finish", "scores", "batch_metrics"),
    *("batch_run", "store"),
}
OF_HOOKS = {"hook", "released", "deployment"}
OF_BATCH_ALONE = {"duckdb", "boto3", "botocore", "s3transfer"}
# Powertools imports the empty top of botocore where it is installed, half a millisecond, as on Lambda itself.
NOT_FOR_A_FORECAST = {
    *NEVER_DEPLOYED,
    *("duckdb", "boto3", "botocore.session", "botocore.client", "aws_xray_sdk", "google", "scipy", "jsonschema"),
}


def imports(path: Path) -> set[str]:
    """Every module a file names in an import, at any depth, by its first part."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def own_imports(name: str) -> set[str]:
    """The files of lambda_fn that one of them imports, by their names."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / "lambda_fn" / f"{name}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "lambda_fn":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lambda_fn."):
            found.add(node.module.removeprefix("lambda_fn."))
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("lambda_fn.")}
    return {name for name in found if (ROOT / "lambda_fn" / f"{name}.py").exists()}


def reached_from(name: str) -> set[str]:
    """These files and all that they import, however far."""
    found, left = set(), {name}
    while left:
        found |= left
        left = set().union(*map(own_imports, left)) - found
    return found


def test_the_import_reader_sees_an_import_wherever_it_stands(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    if 1:\n        from torch.nn import LSTM\n    import os.path, onnx\n")
    assert imports(tmp_path / "a.py") == {"torch", "os", "onnx"}


@pytest.mark.parametrize("path", sorted((ROOT / "lambda_fn").glob("*.py")), ids=lambda path: path.name)
def test_the_deployed_code_imports_nothing_of_training(path):
    assert not imports(path) & NEVER_DEPLOYED


@pytest.mark.parametrize("path", sorted((ROOT / "lambda_fn").glob("*.py")), ids=lambda path: path.name)
def test_only_the_files_of_a_batch_run_and_the_hooks_import_what_the_api_does_not_have(path):
    assert path.stem in BATCH | OF_HOOKS or not imports(path) & OF_BATCH_ALONE


def test_the_api_reaches_no_file_of_a_batch_run():
    reached = reached_from("api")
    assert {"forecaster", "answer", "telemetry"} <= reached
    assert not reached & (BATCH | OF_HOOKS)


def test_a_batch_run_is_the_files_that_are_named_so_and_what_the_api_has_too():
    reached = reached_from("plan") | reached_from("batch") | reached_from("finish")
    assert reached - reached_from("api") == BATCH


def test_the_hooks_reach_their_own_files_and_the_store():
    assert reached_from("hook") | reached_from("released") == OF_HOOKS | {"store"}


@pytest.mark.parametrize("path", sorted((ROOT / "export").rglob("*.py")), ids=lambda path: path.name)
def test_only_the_gate_and_the_commands_call_the_deployed_code(path):
    if path.name not in MAY_CALL_THE_DEPLOYED_CODE:
        assert "lambda_fn" not in imports(path)


def test_nothing_imports_infra():
    for folder in ("export", "lambda_fn"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "infra" not in imports(path)


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


@pytest.mark.parametrize("package", ["api", "batch", "hook"])
def test_training_and_serving_pin_the_same_versions(package):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    trained = dict(line.split("==") for line in project["dependencies"])
    listed = (ROOT / "lambda_fn" / f"requirements-{package}.in").read_text().splitlines()
    served = dict(line.split("==") for line in listed if line and not line.startswith("#"))
    assert served
    assert {name: trained.get(name) for name in served} == served
    locked = (ROOT / "lambda_fn" / f"requirements-{package}.txt").read_text()
    for name, version in served.items():
        assert f"{name}=={version} \\" in locked
    assert locked.count("--hash=sha256:") > len(served)


def test_the_packages_hold_the_same_version_of_what_several_hold():
    locked = {
        package: dict(
            re.findall(r"^([\w-]+)==(\S+) ", (ROOT / "lambda_fn" / f"requirements-{package}.txt").read_text(), re.M)
        )
        for package in ("api", "batch", "hook")
    }
    assert locked["api"].items() <= locked["batch"].items()
    assert locked["hook"].items() <= locked["batch"].items()


def test_no_requirement_names_where_packages_come_from():
    for path in (ROOT / "pyproject.toml", *ROOT.glob("*/requirements*")):
        assert "://" not in path.read_text()
        assert "index-url" not in path.read_text()
