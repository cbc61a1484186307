"""Everything that runs on Lambda: onnxruntime, NumPy and the handlers. Imports nothing of `export`, never torch."""

import os
from pathlib import Path

# From 1.29 on onnxruntime's wheels for Linux tell their maker over HTTPS of each session: its model's names and hashes,
# this machine, an id kept in ~/.cache. Not from here, unless the environment says 0. It must stand before the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"  # the one place: pyproject.toml reads it here, and `make release` writes it

# The model that comes with the project: `models/` beside this package, in a clone and on Lambda. A wheel has it inside
# (pyproject.toml, package-dir): site-packages is no place for a folder of so general a name.
_HERE = Path(__file__).parent
MODELS = _HERE / "models" if (_HERE / "models").is_dir() else _HERE.parent / "models"
