"""A batch by a script with PyTorch: a table of closes read by pandas, the network in batches, a table of forecasts.

`python -m tests.bench.peers.torch_batch MODEL PRICES OUT BATCH` leaves out what `efemera batch` does beside: no
check of a row, no reason for a series that can't be forecast, no shard that a killed run goes on from, no proof.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from export.training.checkpoint import read_checkpoint

model, prices, out, batch = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
torch.set_num_threads(os.cpu_count() or 1)
network = read_checkpoint(model)[0].eval()
config = network.config

last = pd.read_parquet(prices).sort_values(["unique_id", "ds"]).groupby("unique_id", sort=False).tail(config.window)
names = last["unique_id"].to_numpy()[:: config.window]
cutoffs = last["ds"].to_numpy()[config.window - 1 :: config.window]
windows = torch.from_numpy(last["y"].to_numpy().reshape(-1, config.window))  # (series, window)
with torch.inference_mode():
    found = torch.cat([network(part)[1] for part in windows.split(batch)])  # (series, horizon, quantiles)

days = cutoffs.astype("datetime64[D]")[:, None] + np.arange(1, config.horizon + 1)  # calendar days: good enough here
table = pd.DataFrame(
    {
        "unique_id": np.repeat(names, config.horizon),
        "ds": days.ravel(),
        **{f"q{level:g}": found[:, :, place].flatten().numpy() for place, level in enumerate(config.quantiles)},
    }
)
table.to_parquet(out)
