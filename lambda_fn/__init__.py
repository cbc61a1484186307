"""Everything that runs on Lambda: onnxruntime, NumPy and the handlers. Imports nothing of `export`, never torch."""

import os

# From 1.29 on onnxruntime's wheels for Linux tell their maker over HTTPS of each session: its model's names and hashes,
# this machine, an id kept in ~/.cache. Not from here, unless the environment says 0. It must stand before the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"  # pyproject.toml's; a test keeps the two equal
