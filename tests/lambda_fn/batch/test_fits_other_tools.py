"""`utilsforecast` evaluates and plots the tables as they are written; its figures are those worked out by hand."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from utilsforecast.evaluation import evaluate
from utilsforecast.losses import calibration, coverage, mae, mqloss, quantile_loss, rmse, scaled_crps
from utilsforecast.plotting import plot_series

from tests.lambda_fn.batch.market import table
from tests.lambda_fn.batch.runs import run

DAY, LAST = "2026-11-18", "2026-11-25"


@pytest.fixture(scope="module")
def closes():
    return table(6, 80, LAST, seed=3)


@pytest.fixture(scope="module")
def forecasts(closes, tmp_path_factory):
    """Read the forecasts table by pandas."""
    folder = tmp_path_factory.mktemp("fits")
    closes.to_parquet(folder / "prices.parquet", index=False)
    return pd.read_parquet(run(folder / "prices.parquet", folder / "out", DAY).folder / "forecasts")


@pytest.fixture(scope="module")
def met(forecasts, closes):
    """Join the forecasts with the closes that came, as docs/batch.md does it."""
    dated = forecasts.astype({"ds": "datetime64[ns]", "cutoff": "datetime64[ns]"})
    found = dated.merge(closes, on=["unique_id", "ds"])
    assert len(found) == 30
    return found


def test_days_and_ids_are_of_types_that_pandas_joins(forecasts, closes):
    assert forecasts["unique_id"].map(type).eq(str).all()
    assert len(forecasts.assign(ds=pd.to_datetime(forecasts["ds"])).merge(closes, on=["unique_id", "ds"])) == 30


def test_evaluate_gives_the_errors_worked_out_by_hand(met):
    found = evaluate(met.drop(columns=["step"]), metrics=[mae, rmse], models=["efemera"])
    assert found["metric"].tolist() == ["mae"] * 6 + ["rmse"] * 6
    error = met["efemera"] - met["y"]
    by_series = error.groupby(met["unique_id"])
    np.testing.assert_allclose(found.query("metric == 'mae'")["efemera"], by_series.apply(lambda e: e.abs().mean()))
    np.testing.assert_allclose(
        found.query("metric == 'rmse'")["efemera"], by_series.apply(lambda e: np.sqrt((e**2).mean()))
    )


@pytest.mark.parametrize("level", [50, 80, 95])
def test_evaluate_takes_the_intervals_by_their_level(met, level):
    found = evaluate(met.drop(columns=["step"]), metrics=[coverage], models=["efemera"], level=[level])
    inside = met["y"].between(met[f"efemera-lo-{level}"], met[f"efemera-hi-{level}"])
    np.testing.assert_allclose(found["efemera"], inside.groupby(met["unique_id"]).mean())


def test_the_quantile_losses_take_the_ends_of_the_intervals(met):
    for name, quantile in (("efemera-lo-80", 0.1), ("efemera-hi-80", 0.9), ("efemera", 0.5)):
        found = quantile_loss(met, {"efemera": name}, q=quantile).set_index("unique_id")["efemera"]
        miss = met["y"] - met[name]
        expected = np.maximum(quantile * miss, (quantile - 1) * miss).groupby(met["unique_id"]).mean()
        np.testing.assert_allclose(found, expected)
        held = calibration(met, {"efemera": name})["efemera"]
        np.testing.assert_allclose(held, (met["y"] <= met[name]).groupby(met["unique_id"]).mean())


def test_evaluate_pools_all_quantiles_of_all_levels(met):
    found = evaluate(met.drop(columns=["step"]), metrics=[mqloss, scaled_crps], models=["efemera"], level=[50, 80, 95])
    names = {0.025: "lo-95", 0.1: "lo-80", 0.25: "lo-50", 0.75: "hi-50", 0.9: "hi-80", 0.975: "hi-95"}
    losses = [
        np.maximum(quantile * miss, (quantile - 1) * miss)
        for quantile, miss in ((q, met["y"] - met[f"efemera-{name}"]) for q, name in names.items())
    ]
    expected = sum(losses) / len(losses)
    np.testing.assert_allclose(
        found.query("metric == 'mqloss'")["efemera"], expected.groupby(met["unique_id"]).mean(), rtol=1e-6
    )


@pytest.mark.slow
def test_plot_series_draws_the_closes_and_the_fan(closes, forecasts, tmp_path):
    with mpl.rc_context({"backend": "agg"}):
        figure = plot_series(
            closes,
            forecasts.assign(ds=pd.to_datetime(forecasts["ds"])).drop(columns=["cutoff", "step"]),
            models=["efemera"],
            level=[80],
            max_insample_length=30,
            plot_random=False,
        )
        assert len(figure.axes) == 6
        for axes, (name, rows) in zip(figure.axes, closes.groupby("unique_id"), strict=True):
            assert name in axes.get_title()
            drawn = {line.get_label(): line.get_ydata()[~np.isnan(line.get_ydata())] for line in axes.lines}
            of_series = forecasts[forecasts["unique_id"] == name].sort_values("step")
            np.testing.assert_allclose(drawn["efemera"], of_series["efemera"])
            np.testing.assert_allclose(drawn["y"], rows["y"].tail(30))
            [fan] = axes.collections
            edge = fan.get_paths()[0].vertices[:, 1]
            assert (np.nanmin(edge), np.nanmax(edge)) == pytest.approx(
                (of_series["efemera-lo-80"].min(), of_series["efemera-hi-80"].max())
            )
        figure.savefig(tmp_path / "fan.png")
