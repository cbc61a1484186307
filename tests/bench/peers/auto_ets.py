"""statsforecast's AutoETS on all cores, over samples of a table: prints the seconds of each sample, as a JSON list.

`python -m tests.bench.peers.auto_ets PRICES HORIZON SERIES …` forecasts a small sample before, so that nothing is
loaded or compiled while the clock runs.
"""

from __future__ import annotations

import json
import os
import sys
import time

import duckdb
from statsforecast import StatsForecast
from statsforecast.models import AutoETS


def main() -> None:
    """Forecast, print."""
    path, horizon, *counts = sys.argv[1], *map(int, sys.argv[2:])
    seconds = []
    for count in (50, *counts):
        table = duckdb.execute(
            "FROM read_parquet($path) SEMI JOIN (SELECT DISTINCT unique_id FROM read_parquet($path) "
            "ORDER BY hash(unique_id) LIMIT $count) USING (unique_id)",
            {"path": path, "count": count},
        ).df()
        begun = time.perf_counter()
        model = StatsForecast(models=[AutoETS(season_length=1)], freq="B", n_jobs=os.cpu_count() or 1)
        found = model.forecast(df=table, h=horizon, level=[80])
        seconds.append(time.perf_counter() - begun)
        assert len(found) == count * horizon
    print(json.dumps(seconds[1:]))


if __name__ == "__main__":  # its workers import this file
    main()
