"""The two tables of the output: columns, types, order, dates, and their metadata."""

import json

import duckdb
import numpy as np
import pandas as pd
import pytest

from export.data import calendars
from lambda_fn.batch.database import one_thread
from lambda_fn.batch.shard_reader import SHARD_COLUMNS, open_shard
from lambda_fn.tables.store import scratch
from tests.lambda_fn.batch import oracle
from tests.lambda_fn.batch.conftest import MODELS
from tests.lambda_fn.batch.market import one, table
from tests.lambda_fn.batch.runs import run

FORECASTS = [
    ("unique_id", "VARCHAR"),
    ("ds", "DATE"),
    ("cutoff", "DATE"),
    ("step", "INTEGER"),
    ("efemera", "DOUBLE"),
    ("efemera-lo-95", "DOUBLE"),
    ("efemera-lo-80", "DOUBLE"),
    ("efemera-lo-50", "DOUBLE"),
    ("efemera-hi-50", "DOUBLE"),
    ("efemera-hi-80", "DOUBLE"),
    ("efemera-hi-95", "DOUBLE"),
]
STATUS = [
    ("unique_id", "VARCHAR"),
    ("cutoff", "DATE"),
    ("last_price", "DOUBLE"),
    ("status", "VARCHAR"),
    ("reason", "VARCHAR"),
]


@pytest.fixture(scope="module")
def mixed():
    """Forty good series and some that can't be forecast."""
    return pd.concat([table(40), one("short", np.full(59, 2.0)), one("poison", [*np.full(69, 2.0), -1.0])])


@pytest.fixture(scope="module")
def ran(mixed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    mixed.to_parquet(folder / "prices.parquet", index=False)
    return run(folder / "prices.parquet", folder / "out", calendar="BVMF")


def columns(files):
    return [row[:2] for row in duckdb.sql(f"DESCRIBE FROM read_parquet('{files}')").fetchall()]


def test_the_columns_and_types_of_every_part_are_the_documented_ones(ran):
    for name, expected in (("forecasts", FORECASTS), ("status", STATUS)):
        parts = sorted((ran.folder / name).iterdir())
        assert len(parts) > 1
        for part in parts:
            assert columns(part) == expected


def test_a_shard_in_duckdb_has_the_columns_and_types_it_states(ran):
    shard = ran.plan.shards[0].number
    with scratch() as folder, one_thread() as database:
        opened = open_shard(database, ran.place.work_store().fetch(ran.place.shard_key(shard), folder), ran.plan)
        described = database.execute(f"DESCRIBE {opened.name}").fetchall()
    assert {name: kind for name, kind, *_ in described} == SHARD_COLUMNS


def test_every_series_that_came_in_has_one_status_row(ran, mixed):
    assert ran.status["unique_id"].tolist() == sorted(mixed["unique_id"].unique())
    assert ran.success.series == len(ran.status) == 42


def test_a_forecast_has_each_step_once_and_a_refused_series_none(ran):
    steps = ran.forecasts.groupby("unique_id")["step"].apply(list)
    assert steps.index.tolist() == ran.status.loc[ran.status["status"] == "forecast", "unique_id"].tolist()
    assert steps.map(lambda found: found == [1, 2, 3, 4, 5]).all()
    assert not {"short", "poison"} & set(steps.index)


def test_a_part_is_ordered_by_series_and_step(ran):
    for part in (ran.folder / "forecasts").iterdir():
        rows = pd.read_parquet(part)
        assert rows[["unique_id", "step"]].equals(rows[["unique_id", "step"]].sort_values(["unique_id", "step"]))
    for part in (ran.folder / "status").iterdir():
        assert pd.read_parquet(part)["unique_id"].is_monotonic_increasing


def test_the_numbers_are_the_model_s_for_the_last_sixty_closes(ran, mixed):
    good = mixed[mixed["unique_id"].str.startswith("S")]
    expected = oracle.forecasts(good, "2026-11-19")
    pd.testing.assert_frame_equal(ran.forecasts[expected.columns], expected, check_exact=True)


def test_interval_ends_rise_around_the_median(ran):
    ends = ran.forecasts[[name for name, _ in FORECASTS[5:8]] + ["efemera"] + [name for name, _ in FORECASTS[8:]]]
    assert (np.diff(ends.to_numpy(), axis=1) > 0).all()


def test_status_says_the_last_day_and_close_of_each_series(ran, mixed):
    last = mixed.groupby("unique_id").tail(1).set_index("unique_id")
    status = ran.status.set_index("unique_id")
    assert (pd.to_datetime(status["cutoff"]) == last["ds"].loc[status.index]).all()
    good = status.index.difference(["poison"])
    assert (status.loc[good, "last_price"] == last.loc[good, "y"]).all()
    assert np.isnan(status.loc["poison", "last_price"])  # its last close is none


@pytest.mark.slow
def test_steps_are_dated_by_the_exchange_and_skip_its_holidays(ran):
    first = ran.forecasts[ran.forecasts["unique_id"] == "S0000"]
    known = calendars.sessions("BVMF", np.datetime64("2026-11-20"), np.datetime64("2026-12-31"))
    assert first["ds"].tolist() == known[:5].tolist()
    assert str(first["ds"].iloc[0]) == "2026-11-23"  # B3 rests on the Day of Black Consciousness


def test_each_series_is_dated_from_its_own_last_close(tmp_path):
    both = pd.concat([one("early", np.full(60, 3.0), "2026-11-16"), one("late", np.full(60, 3.0), "2026-11-19")])
    both.to_parquet(tmp_path / "prices.parquet", index=False)
    found = run(tmp_path / "prices.parquet", tmp_path / "out", calendar="XNYS").forecasts
    days = found.groupby("unique_id")["ds"].apply(lambda column: column.astype(str).tolist())
    assert days["early"] == ["2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20", "2026-11-23"]
    assert days["late"] == ["2026-11-20", "2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27"]  # Thanksgiving
    assert found.groupby("unique_id")["cutoff"].first().astype(str).tolist() == ["2026-11-16", "2026-11-19"]


@pytest.mark.parametrize(
    ("last", "known"),
    [
        ("2029-12-27", ["2029-12-28"]),  # the calendar's file ends with 2029
        ("2029-12-31", []),
        ("2035-06-01", []),
        ("2025-12-30", []),  # and begins with 2026: which day followed is as unknown
    ],
)
def test_a_day_beyond_the_calendar_is_null_and_never_a_guess(tmp_path, last, known):
    one("A", np.full(60, 3.0), last).to_parquet(tmp_path / "prices.parquet", index=False)
    found = run(tmp_path / "prices.parquet", tmp_path / "out", last, calendar="BVMF").forecasts
    assert found["ds"].dropna().astype(str).tolist() == known
    assert len(found) == 5
    assert str(found["cutoff"].iloc[0]) == str(pd.bdate_range(end=last, periods=1)[0].date())


def test_a_day_is_no_less_a_day_for_being_the_first_of_1970(tmp_path):
    one("A", np.full(60, 3.0), "1969-12-31").to_parquet(tmp_path / "prices.parquet", index=False)
    found = run(tmp_path / "prices.parquet", tmp_path / "out", "1969-12-31").forecasts
    assert found["ds"].astype(str).tolist() == [f"1970-01-0{day}" for day in (1, 2, 5, 6, 7)]


def test_weekdays_go_on_to_the_last_day_there_is(tmp_path):
    rows = "".join(f"A,9999-{month:02}-{day:02},3\n" for month in (10, 11, 12) for day in range(1, 31))
    (tmp_path / "prices.csv").write_text(f"unique_id,ds,y\n{rows}")
    [*days] = duckdb.sql(
        f"SELECT CAST(ds AS VARCHAR) FROM '{run(tmp_path / 'prices.csv', tmp_path / 'out', '9999-12-31').folder}"
        "/forecasts/*.parquet' ORDER BY step"
    ).fetchall()
    assert days == [("9999-12-31",), (None,), (None,), (None,), (None,)]


def test_model_and_input_stand_in_the_metadata_of_every_part_and_in_no_column(ran):
    for part in [*(ran.folder / "forecasts").iterdir(), *(ran.folder / "status").iterdir()]:
        found = duckdb.sql(f"SELECT key, value FROM parquet_kv_metadata('{part}')").fetchall()
        assert {key.decode(): value.decode() for key, value in found} == {
            "efemera.schema_version": "1",
            "efemera.model_version": ran.success.model_version,
            "efemera.model_digest": ran.success.model_digest,
            "efemera.input_digest": ran.success.input_digest,
            "efemera.as_of": "2026-11-19",
        }
    assert not [name for name in (*ran.forecasts, *ran.status) if "model" in name or "digest" in name]


def test_success_tells_model_input_and_counts(ran):
    success = json.loads((ran.folder / "_SUCCESS.json").read_text())
    manifest = json.loads((MODELS / "manifest.json").read_text())
    assert success == {
        "schema_version": 1,
        "as_of": "2026-11-19",
        "calendar": "BVMF",
        "model_version": manifest["model_version"],
        "model_digest": manifest["files"]["model.onnx"][:12],
        "input_digest": ran.plan.input_digest,
        "horizon": 5,
        "levels": [95.0, 80.0, 50.0],
        "series": 42,
        "forecast": 40,
        "refused": {"bad price": 1, "too short": 1},
        "verdict": json.loads((MODELS / "evaluation.json").read_text())["verdict"],
        "hash": f"duckdb {duckdb.__version__}",
        "shard_count": 4,
        "finished_at": success["finished_at"],
    }
    assert ran.folder.name == f"{success['input_digest']}-{success['model_digest']}"


def test_duckdb_and_pandas_read_the_tables_alike(ran):
    by_duckdb = duckdb.sql(f"FROM '{ran.folder}/forecasts/*.parquet' ORDER BY unique_id, step").df()
    assert by_duckdb.drop(columns=["ds", "cutoff"]).equals(ran.forecasts.drop(columns=["ds", "cutoff"]))


def test_a_table_without_a_good_series_has_every_column_and_no_row(tmp_path):
    one("short", np.full(3, 2.0)).to_parquet(tmp_path / "prices.parquet", index=False)
    ran = run(tmp_path / "prices.parquet", tmp_path / "out")
    assert columns(ran.folder / "forecasts" / "*.parquet") == FORECASTS
    assert len(ran.forecasts) == 0
    assert ran.reasons == {"short": ("too short", "3 closes up to 2026-11-19; 60 are needed")}
    assert ran.success.forecast == 0
