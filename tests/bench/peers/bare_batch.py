"""The floor of a batch run: bare runs of the session over windows already in memory, in one process of several.

`python -m tests.bench.peers.bare_batch MODEL WINDOWS PART PARTS BLOCK` says "ready", waits for a line, runs, then says
"done".
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from lambda_fn.model.forecaster import open_session

model, path, part, parts, block = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
windows = np.array_split(np.load(path), parts)[part]  # (windows, 60)
session = open_session(Path(model))
session.run(["quantiles"], {"prices": windows[:block]})
print("ready", flush=True)
sys.stdin.readline()
for start in range(0, len(windows), block):
    session.run(["quantiles"], {"prices": windows[start : start + block]})
print("done", flush=True)
