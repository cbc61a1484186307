"""The environment in which `make test` runs the serving tests holds only what Lambda has, and the test runner."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv-serving" / "bin" / "python"


def test_it_holds_no_training_library():
    if not PYTHON.exists():
        pytest.fail("there is no .venv-serving; `make test` makes it, or `make .venv-serving/.ready`")
    command = [PYTHON, "-m", "pip", "list", "--format=freeze"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    names = {line.split("==")[0].lower() for line in listed.stdout.splitlines()}
    assert "onnxruntime" in names
    assert not names & {"torch", "onnx", "onnxscript", "pandas", "duckdb", "typer", "matplotlib", "pydantic", "efemera"}
