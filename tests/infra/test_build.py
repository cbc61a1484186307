"""The builder of the packages: what it takes in, what it leaves out, and what stops a bad package."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra import build_function
from infra.own_modules import own_modules
from infra.packages import MODEL_FILES, PACKAGES
from tests.infra.conftest import MODELS, ROOT


def build(*options: str | Path) -> subprocess.CompletedProcess[str]:
    """The builder, run as the Makefile does, by a Python that has nothing but its standard library."""
    command = [sys.executable, "-S", "-m", "infra.build_function", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_python_without_what_writes_the_list_of_parts_is_told_what_to_run(tmp_path):
    run = build("--models", MODELS, "--out", tmp_path / "out")
    assert (run.returncode, run.stdout) == (2, "")
    message = "has no cyclonedx, which writes the list of a package's parts: run `make build`"
    assert run.stderr == f"{sys.executable} {message}\n"
    assert not (tmp_path / "out").exists()


def test_a_set_of_artefacts_that_is_not_whole_is_not_packaged(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"files": dict.fromkeys(MODEL_FILES[1:], "0" * 64)}), "utf-8")
    (tmp_path / "model.onnx").write_bytes(b"another model")
    run = build("--models", tmp_path, "--out", tmp_path / "out")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"{tmp_path / 'model.onnx'}: not the file that manifest.json names\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"files": {}}', None])
def test_a_folder_without_a_manifest_that_can_be_read_is_refused_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
        (tmp_path / "model.onnx").write_bytes(b"")
    run = build("--models", tmp_path, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert run.stderr.startswith(str(tmp_path / "manifest.json"))
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("limit", ["largest", "largest_zipped"])
def test_a_package_that_is_too_large_is_refused(tmp_path, monkeypatch, capsys, limit):
    monkeypatch.setattr(sys, "argv", ["build_function", "--out", str(tmp_path / "out"), "--models", str(MODELS)])
    monkeypatch.setattr(build_function, "_install", lambda out, *_: out.mkdir())
    monkeypatch.setattr(build_function, "_compile", lambda *_: "none")
    nothing_listed = SimpleNamespace(owners=lambda *_: {}, bill=lambda *_: "{}", Target=lambda *_: None)
    monkeypatch.setitem(sys.modules, "infra.sbom", nothing_listed)
    unpruned = PACKAGES["api"]._replace(pruned=())
    monkeypatch.setitem(PACKAGES, "api", unpruned)
    build_function.main()
    monkeypatch.setitem(PACKAGES, "api", unpruned._replace(**{limit: 10}))
    with pytest.raises(SystemExit) as stopped:
        build_function.main()
    assert stopped.value.code == 3
    assert "passes its limit" in capsys.readouterr().err


def test_no_package_may_grow_beyond_what_was_promised():
    limits = {kind: (package.largest, package.largest_zipped) for kind, package in PACKAGES.items()}
    assert limits == {"api": (100e6, 34e6), "batch": (180e6, 64e6), "deploy": (10e6, 3.5e6)}


def test_a_pruning_rule_that_finds_nothing_is_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        build_function._prune(tmp_path, PACKAGES["api"]._replace(pruned=("bin",)))
    assert stopped.value.code == 3
    assert "nothing matches 'bin' any more" in capsys.readouterr().err


def test_the_services_that_are_called_are_not_pruned_by_a_wider_rule(tmp_path):
    data = tmp_path / "botocore" / "data"
    for service in ("ec2", "s3", "sqs"):
        (data / service).mkdir(parents=True)
    (data / "endpoints.json").write_text("{}", encoding="utf-8")
    rule = PACKAGES["batch"]._replace(pruned=("botocore/data/*",), services=("s3",))
    build_function._prune(tmp_path, rule)
    assert {path.name for path in data.iterdir()} == {"s3", "endpoints.json"}
    with pytest.raises(SystemExit):  # the second time there is nothing left to find
        build_function._prune(tmp_path, rule)


def test_a_handler_brings_what_it_imports_wherever_that_stands_and_nothing_else(tmp_path):
    source = tmp_path / "lambda_fn"
    source.mkdir()
    files = {
        "__init__": "__version__ = '1'",
        "api/__init__": "",
        "api/handler": "from lambda_fn import __version__\nfrom lambda_fn.api import first\nimport json",
        "api/first": "def later():\n    import lambda_fn.second",
        "second": "from lambda_fn.third import name\nimport lambda_fn_not_ours",
        "third/__init__": "from lambda_fn.api import handler",
        "unused": "from lambda_fn.api import handler",
    }
    for name, text in files.items():
        (source / f"{name}.py").parent.mkdir(exist_ok=True)
        (source / f"{name}.py").write_text(text, encoding="utf-8")
    brought = [str(path.relative_to(source).with_suffix("")) for path in own_modules(("api.handler",), source)]
    assert brought == ["__init__", "api/__init__", "api/first", "api/handler", "second", "third/__init__"]


def test_no_function_brings_the_code_of_another_kind():
    brought = {kind: {path.parent.name for path in own_modules(package.handlers)} for kind, package in PACKAGES.items()}
    assert brought == {
        "api": {"lambda_fn", "api", "model"},
        "batch": {"lambda_fn", "batch", "tables", "model"},
        "deploy": {"lambda_fn", "deploy", "tables"},
    }


def test_bytecode_is_written_by_lambdas_own_version_alone(tmp_path, monkeypatch):
    source = tmp_path / "answer.py"
    source.write_text("def answer():\n    return 42\n", encoding="utf-8")
    monkeypatch.setattr(build_function, "PYTHON_VERSION", "3.99")
    assert build_function._compile(tmp_path, sys.executable).startswith("none, for want of")
    assert build_function._compile(tmp_path, "no-such-python").startswith("none, for want of")
    assert list(tmp_path.iterdir()) == [source]

    monkeypatch.setattr(build_function, "PYTHON_VERSION", "{}.{}".format(*sys.version_info))
    assert build_function._compile(tmp_path, sys.executable) == f"Python {build_function.PYTHON_VERSION}"
    bytecode = Path(importlib.util.cache_from_source(str(source))).read_bytes()
    assert bytecode[4:8] == (0b01).to_bytes(4, "little")  # PEP 552: by hash, never checked against the source
    assert b"/var/task/answer.py" in bytecode  # what a traceback on Lambda names
