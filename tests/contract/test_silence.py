"""Nothing but the answers leaves the process: onnxruntime's own reports to its maker are off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BARE = "import onnxruntime; onnxruntime.InferenceSession({model!r}, providers=['CPUExecutionProvider'])"
OURS = "from pathlib import Path; from lambda_fn.model.forecaster import Forecaster; Forecaster(Path({model!r}).parent)"
QUIET = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")  # these turn it off too


def left_behind(code: str, home: Path, **environment: str) -> set[str]:
    """The names of the files that a process wrote below its home, where the reports wait to be sent."""
    home.mkdir()
    plain = {name: value for name, value in os.environ.items() if name not in QUIET and not name.startswith("XDG_")}
    command = [sys.executable, "-c", code.format(model=str(ROOT / "models" / "model.onnx"))]
    subprocess.run(command, cwd=ROOT, env={**plain, "HOME": str(home), **environment}, check=True)
    return {path.name for path in home.rglob("*") if path.is_file()}


@pytest.mark.skipif(sys.platform != "linux", reason="onnxruntime keeps its reports elsewhere")
def test_no_report_of_a_session_is_kept_for_sending(tmp_path):
    assert left_behind(OURS, tmp_path / "ours") == set()
    reported = {"onnxruntime.db", "deviceid"}
    assert reported <= left_behind(BARE, tmp_path / "bare")  # else this would prove nothing
    assert reported <= left_behind(OURS, tmp_path / "asked", ORT_DISABLE_TELEMETRY="0")  # who wants it says so
