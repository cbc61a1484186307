"""Folders and files may be called anything that the system lets them be called."""

import gzip
import io

import pandas as pd
import pytest

from lambda_fn.batch.score_table import read_scores
from lambda_fn.tables.store import LocalStore
from tests.lambda_fn.batch import oracle
from tests.lambda_fn.batch.market import DAY, days, table
from tests.lambda_fn.batch.runs import run

pytestmark = pytest.mark.slow

NAMES = [
    "a b", "p[1]", "p?", "p*", "p**", "it's", 'a"b', "h#s", "~p", "{a,b}", "a%20b", "back\\slash", "a\nb", "é", "日本",
    "-p", "a=b", "step=1", "status=forecast", "unique_id=X", "line=3", "filename=x", "ds=2026-01-01", "null", "s3:x",
]  # fmt: skip


@pytest.fixture(scope="module")
def closes():
    return table(len(NAMES))


@pytest.fixture(scope="module")
def expected(closes):
    return oracle.forecasts(closes, DAY)


def held(ran, expected):
    pd.testing.assert_frame_equal(ran.forecasts[expected.columns], expected, check_exact=True)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_prices_may_be_in_folders_and_files_of_any_name(closes, expected, tmp_path, ending):
    places = []
    for name, (_, rows) in zip(NAMES, closes.groupby("unique_id"), strict=True):
        places.append(tmp_path / name / f"{name}.{ending}")
        places[-1].parent.mkdir()
        if ending == "parquet":
            rows.to_parquet(places[-1], index=False)
        else:
            content = rows.to_csv(index=False).encode()
            places[-1].write_bytes(content if ending == "csv" else gzip.compress(content))
    ran = run(places, tmp_path / "out")
    held(ran, expected)
    assert [file.name for file in ran.plan.inputs] == sorted(f"{name}.{ending}" for name in NAMES)
    held(run([place.parent for place in places], tmp_path / "out2"), expected)


@pytest.mark.parametrize("name", ["line=3", "filename=x", "efemera_path=1", "unique_id=X", "y=1"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_folder_called_like_a_column_is_none(closes, expected, tmp_path, name, ending):
    path = tmp_path / name / f"p.{ending}"
    path.parent.mkdir()
    closes.to_csv(path, index=False) if ending == "csv" else closes.to_parquet(path, index=False)
    held(run(path, tmp_path / "out"), expected)


def test_the_results_may_be_in_folders_of_any_name(closes, expected, tmp_path):
    out = tmp_path.joinpath(*(name for name in NAMES if "\\" not in name))  # DuckDB finds none beside a bracket
    closes.to_parquet(tmp_path / "prices.parquet", index=False)
    run(tmp_path / "prices.parquet", out, str(days(3)[0].date()))
    ran = run(tmp_path / "prices.parquet", out)  # which scores the other
    assert ran.success.forecast == len(NAMES)
    # By their bytes: pandas itself would take the folder `step=1` for a column.
    parts = [pd.read_parquet(io.BytesIO(part.read_bytes())) for part in (ran.folder / "forecasts").iterdir()]
    rows = pd.concat(parts).sort_values(["unique_id", "step"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(rows[expected.columns], expected, check_exact=True)
    scores = pd.read_parquet(io.BytesIO((out / "scores" / f"{DAY}.parquet").read_bytes()))
    assert scores["series"].tolist() == [len(NAMES)] * 2
    assert read_scores(LocalStore(str(out)))["series"].tolist() == [len(NAMES)] * 2


@pytest.mark.parametrize(("name", "beside"), [("out*", "outer"), ("out?", "out1"), ("out[1-3]", "out2")])
def test_a_folder_whose_name_is_a_pattern_is_not_taken_for_those_that_fit_it(closes, tmp_path, name, beside):
    closes.to_parquet(tmp_path / "prices.parquet", index=False)
    for folder in (beside, name):
        for day in (str(days(3)[0].date()), DAY):
            ran = run(tmp_path / "prices.parquet", tmp_path / folder, day)
    assert ran.success.forecast == len(NAMES)
    assert len(list((ran.folder / "forecasts").iterdir())) == ran.plan.shard_count


def test_a_file_whose_name_is_a_pattern_is_not_taken_for_those_that_fit_it(closes, expected, tmp_path):
    closes.to_parquet(tmp_path / "p*.parquet", index=False)
    closes.assign(unique_id="other").to_parquet(tmp_path / "prices.parquet", index=False)
    held(run(tmp_path / "p*.parquet", tmp_path / "out"), expected)


def test_a_path_may_be_relative(closes, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~").mkdir()
    closes.to_csv(tmp_path / "~" / "prices.csv", index=False)
    for place in ("~/prices.csv", "./~/prices.csv", "~", "~/"):
        held(run(place, "out"), expected)
    (tmp_path / "-p.csv").write_bytes((tmp_path / "~" / "prices.csv").read_bytes())
    held(run("-p.csv", "./out2"), expected)
