"""A process that starts to serve: verified and warm before its first request, or not at all, and it says why."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lambda_fn.conftest import MODELS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent.parent


def start(folder, code="import lambda_fn.api.handler"):
    """Import the handler in a process of its own, as Lambda's runtime does."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POWERTOOLS")}
    environment = {**inherited, "EFEMERA_MODELS": str(folder)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def tampered(folder):
    """One weight's last bit, in a file of the same length."""
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)


def another_version(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 2}))


def golden_off(folder):
    """A golden answer a thousandth off, in a set whose digests are right: no digest finds it, only the replay does."""
    golden = json.loads((folder / "golden.json").read_text())
    golden["quantiles"][0][0][3] *= 1.001
    (folder / "golden.json").write_text(json.dumps(golden))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["golden.json"] = hashlib.sha256((folder / "golden.json").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def missing(folder):
    (folder / "weights.npz").unlink()


def other_days(folder):
    sessions = json.loads((folder / "sessions.json").read_text())
    sessions["calendars"]["BVMF"].pop()
    (folder / "sessions.json").write_text(json.dumps(sessions))


@pytest.mark.parametrize(
    ("harm", "name", "why"),
    [
        (tampered, "model.onnx", "not the file that manifest.json names"),
        (another_version, "manifest.json", "schema version 2, this code reads 1"),
        (golden_off, "golden.json", "the model's answers differ from PyTorch's by 0.001, more than"),
        (missing, "weights.npz", "missing or not readable"),
        (other_days, "sessions.json", "its days are not those its own digest was made of"),
    ],
)
def test_a_set_that_is_not_whole_is_not_served_and_the_log_says_which_file_and_why(tmp_path, harm, name, why):
    folder = Path(shutil.copytree(MODELS, tmp_path / "models"))
    assert start(folder).returncode == 0
    harm(folder)
    started = start(folder)
    assert started.returncode == 1
    assert f"ModelRefused: {folder / name}: {why}" in started.stderr
    assert "ready" not in started.stdout


def test_the_self_check_runs_while_the_process_starts_so_that_a_snapshot_holds_it():
    code = """
import numpy as np, onnxruntime
real, batches = onnxruntime.InferenceSession.run, []
def run(self, names, inputs):
    batches.append(len(inputs["prices"]))
    return real(self, names, inputs)
onnxruntime.InferenceSession.run = run
import lambda_fn.api.handler
print(batches)
"""
    started = start(MODELS, code)
    golden = json.loads((MODELS / "golden.json").read_text())
    ready, batches = started.stdout.splitlines()
    assert json.loads(batches) == [len(golden["prices"])]
    assert 0 < json.loads(ready)["self_check"] <= golden["relative_tolerance"]
