"""The serving tests pass where only the serving requirements are installed, as on Lambda."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv-serving" / "bin" / "python"


@pytest.fixture(scope="module")
def python():
    """The environment that `make test` keeps: lambda_fn/api/requirements.txt with its hashes, and the test runner."""
    if not PYTHON.exists():
        pytest.fail("there is no .venv-serving; `make test` makes it, or `make .venv-serving/.ready`")
    return PYTHON


def test_it_holds_no_training_library(python):
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    names = {line.split("==")[0].lower() for line in listed.stdout.splitlines()}
    assert "onnxruntime" in names
    assert not names & {"torch", "onnx", "onnxscript", "pandas", "duckdb", "typer", "matplotlib", "pydantic", "efemera"}


def test_the_serving_tests_pass_in_it(python):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_", "PYTEST"))
    }
    command = [python, "-m", "pytest", "tests/lambda_fn/model", "tests/lambda_fn/api", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
