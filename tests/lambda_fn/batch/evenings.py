"""Run evening after evening, and compare the scores with those of pandas."""

import numpy as np
import pandas as pd

from tests.lambda_fn.batch.runs import run

DAYS = [str(day.date()) for day in pd.bdate_range("2026-11-02", periods=15)]


class Evenings:
    """Runs evening after evening in one place."""

    def __init__(self, folder):
        self.folder = folder
        self.runs = {}

    def run(self, day, closes, **more):
        """Run an evening on what was known of these closes then."""
        more = {"series_per_shard": 100_000} | more
        path = self.folder / f"{day}-{len(self.runs)}.parquet"
        closes[closes["ds"] <= day].to_parquet(path, index=False)
        ran = run(path, self.folder / "out", day, **more)
        self.runs[day] = ran
        return ran

    def scores(self, day):
        """Read the scores table of an evening."""
        found = pd.read_parquet(self.folder / "out" / "scores" / f"{day}.parquet")
        return found.assign(ds=pd.to_datetime(found["ds"]), as_of=pd.to_datetime(found["as_of"]))

    def made(self, *days):
        return [(day, self.runs[day].forecasts, self.runs[day].status) for day in days]

    @property
    def scored(self):
        folder = self.folder / "out" / "scores"
        return sorted(path.stem for path in folder.iterdir()) if folder.exists() else []


def held(found, expected):
    """Assert that the scores of one evening are those of pandas."""
    found = found.sort_values(["ds", "as_of", "step"]).reset_index(drop=True)
    assert found["series"].tolist() == expected["series"].tolist()
    for column in ("ds", "as_of", "step"):
        assert found[column].tolist() == expected[column].tolist()
    for column in ("mae", "mae_naive", "pinball", "coverage-95", "coverage-80", "coverage-50"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-9, err_msg=column)
