"""The package that Lambda gets: what is in it, what it weighs, that it runs, and what stops a bad one."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.infra.conftest import MODELS, OFFLINE, ROOT

HELPER = ROOT / "infra" / "build_function.py"
IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"


@pytest.fixture
def helper() -> ModuleType:
    """infra/build_function.py, afresh for each test."""
    spec = importlib.util.spec_from_file_location("build_function", HELPER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.docker
def test_the_package_holds_what_is_served_and_nothing_else(built):
    package = built / "ApiFunction"
    found = {path.name for path in package.iterdir() if not path.name.endswith(".dist-info")}
    assert found - {"__pycache__"} == {  # bytecode of typing_extensions, where the builder had Lambda's Python
        "aws_lambda_powertools", "jmespath", "lambda_fn", "models", "msgspec", "numpy", "numpy.libs", "onnxruntime",
        "typing_extensions.py",
    }  # fmt: skip
    models = {path.name for path in (package / "models").iterdir()}
    required = {"manifest.json", "model.onnx", "weights.npz", "golden.json", "parity.json"}
    assert required <= models <= required | {"evaluation.json", "sessions.json"}
    ours = {path.name for path in (package / "lambda_fn").iterdir() if path.is_file()}
    assert ours == {"openapi.json", *(path.name for path in (ROOT / "lambda_fn").glob("*.py"))}


@pytest.mark.docker
def test_the_three_steps_of_a_batch_run_have_one_package(built, helper):
    package = built / "PlanFunction"
    found = {path.name for path in package.iterdir() if not path.name.endswith(".dist-info")}
    assert found - {"__pycache__"} == {
        "_duckdb.abi3.so", "aws_lambda_powertools", "boto3", "botocore", "dateutil", "duckdb", "jmespath", "lambda_fn",
        "models", "msgspec", "numpy", "numpy.libs", "onnxruntime", "s3transfer", "six.py", "typing_extensions.py",
        "tzdata", "urllib3",
    }  # fmt: skip
    services = {path.name for path in (package / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == {"s3"}
    assert (package / "tzdata" / "zoneinfo" / "America" / "Sao_Paulo").exists()
    assert len({helper.digest(built / f"{step}Function") for step in ("Plan", "Batch", "Finish")}) == 1


@pytest.mark.docker
@pytest.mark.parametrize("name", ["ApiFunction", "BatchFunction"])
def test_two_builds_are_equal_whatever_the_umask(built, helper, tmp_path, name):
    command = ["make", "-s", f"build-{name}", f"ARTIFACTS_DIR={tmp_path / 'again'}"]
    again = subprocess.run(command, cwd=ROOT, env=OFFLINE, umask=0o077, capture_output=True, text=True, check=True)
    digest = helper.digest(built / name)
    assert f"sha256 {digest}" in again.stdout
    assert helper.digest(tmp_path / "again") == digest
    for path in (tmp_path / "again").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


@pytest.mark.docker
@pytest.mark.parametrize(("name", "kind"), [("ApiFunction", "api"), ("BatchFunction", "batch")])
def test_a_package_is_within_its_limits(built, helper, name, kind):
    assert helper._size(built / name) < helper.PACKAGES[kind].largest
    assert helper._zipped(built / name) < helper.PACKAGES[kind].largest_zipped


@pytest.mark.docker
@pytest.mark.usefixtures("lambda_base")
def test_every_kind_of_answer_comes_from_the_package_alone(built):
    """Nothing that was pruned is missed, in Lambda's Python, without site-packages and network."""
    script = Path(__file__).with_name("every_answer.py")
    mounts = ["-v", f"{built / 'ApiFunction'}:/var/task:ro", "-v", f"{script}:/every_answer.py:ro"]
    command = ["docker", "run", "--rm", "--network=none", *mounts, "--entrypoint=python3", IMAGE, "-I"]
    run = subprocess.run([*command, "/every_answer.py"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stderr.splitlines()[-1])
    assert found["statuses"] == [200, 200, 200, 200, 200, 200, 400, 404, 405, 415, 422, 503, 500]
    assert found["megabytes"] < 128, "the template's MemorySize leaves four times this"


@pytest.mark.docker
@pytest.mark.usefixtures("lambda_base")
def test_the_serving_tests_pass_on_the_package(built, tmp_path):
    """The proof that nothing pruned is missed: Lambda's Python, the package, and a test runner beside it.

    The package is read-only, there is no network, and the user is nobody. Without the tests by Hypothesis, which itself
    needs the numpy.random that was pruned.
    """
    runner = tmp_path / "runner"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--only-binary=:all:",
        "--target",
        runner,
    ]
    pins = ["--python-version=3.13", "--constraint", ROOT / "infra" / "requirements-dev.txt", "pytest", "hypothesis"]
    subprocess.run([*command, *pins], check=True, capture_output=True)
    mounts = {built / "ApiFunction": "/var/task", runner: "/runner"}
    mounts |= {ROOT / name: f"/proof/{name}" for name in ("tests", "template.yaml")} | {MODELS: "/proof/models"}
    command = ["docker", "run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp:mode=1777", "--user=65534:65534"]
    command += [f"--volume={here}:{there}:ro" for here, there in mounts.items()]
    command += ["--env=PYTHONPATH=/var/task:/runner:/proof", "--env=PYTHONDONTWRITEBYTECODE=1", "--env=HOME=/tmp"]
    command += ["--workdir=/tmp", "--entrypoint=python3", IMAGE, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-m", "not hypothesis"]
    run = subprocess.run([*command, "/proof/tests/lambda_fn"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", run.stdout)[1]) > 300


def test_a_set_of_artefacts_that_is_not_whole_is_not_packaged(tmp_path):
    manifest = {"files": dict.fromkeys(("model.onnx", "weights.npz", "golden.json", "parity.json"), "0" * 64)}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / "model.onnx").write_bytes(b"another model")
    command = [sys.executable, HELPER, "--models", tmp_path, "--out", tmp_path / "out"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"{tmp_path / 'model.onnx'}: not the file that manifest.json names\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"files": {}}', None])
def test_a_folder_without_a_manifest_that_can_be_read_is_refused_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
        (tmp_path / "model.onnx").write_bytes(b"")
    command = [sys.executable, HELPER, "--models", tmp_path, "--out", tmp_path / "out"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith(str(tmp_path / "manifest.json"))
    assert run.stderr.count("\n") == 1


def test_a_package_that_is_too_large_is_refused(helper, tmp_path, monkeypatch, capsys):
    model = tmp_path / "model"
    model.mkdir()
    for name in helper.MODEL_FILES[1:]:
        (model / name).write_bytes(name.encode())
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in helper.MODEL_FILES[1:]}
    (model / "manifest.json").write_text(json.dumps({"files": digests}), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [str(HELPER), "--out", str(tmp_path / "out"), "--models", str(model)])
    monkeypatch.setattr(helper, "_install", lambda out, *_: out.mkdir())
    monkeypatch.setattr(helper, "_compile", lambda *_: "none")
    unpruned = helper.PACKAGES["api"]._replace(pruned=())
    monkeypatch.setitem(helper.PACKAGES, "api", unpruned)
    helper.main()
    monkeypatch.setitem(helper.PACKAGES, "api", unpruned._replace(largest=10))
    with pytest.raises(SystemExit) as stopped:
        helper.main()
    assert stopped.value.code == 3
    assert "passes its limit" in capsys.readouterr().err


def test_a_pruning_rule_that_finds_nothing_is_an_error(helper, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        helper._prune(tmp_path, ("bin",))
    assert stopped.value.code == 3
    assert "nothing matches 'bin' any more" in capsys.readouterr().err


def test_what_is_kept_is_not_pruned_by_a_wider_rule(helper, tmp_path):
    data = tmp_path / "botocore" / "data"
    for service in ("ec2", "s3", "sqs"):
        (data / service).mkdir(parents=True)
    (data / "endpoints.json").write_text("{}", encoding="utf-8")
    helper._prune(tmp_path, ("botocore/data/*",))
    assert {path.name for path in data.iterdir()} == {"s3", "endpoints.json"}
    with pytest.raises(SystemExit):  # the second time there is nothing left to find
        helper._prune(tmp_path, ("botocore/data/*",))


def test_bytecode_is_written_by_lambdas_own_version_alone(helper, tmp_path, monkeypatch):
    source = tmp_path / "answer.py"
    source.write_text("def answer():\n    return 42\n", encoding="utf-8")
    monkeypatch.setattr(helper, "PYTHON_VERSION", "3.99")
    assert helper._compile(tmp_path, sys.executable).startswith("none, for want of")
    assert helper._compile(tmp_path, "no-such-python").startswith("none, for want of")
    assert list(tmp_path.iterdir()) == [source]

    monkeypatch.setattr(helper, "PYTHON_VERSION", "{}.{}".format(*sys.version_info))
    assert helper._compile(tmp_path, sys.executable) == f"Python {helper.PYTHON_VERSION}"
    bytecode = Path(importlib.util.cache_from_source(str(source))).read_bytes()
    assert bytecode[4:8] == (0b01).to_bytes(4, "little")  # PEP 552: by hash, never checked against the source
    assert b"/var/task/answer.py" in bytecode  # what a traceback on Lambda names
