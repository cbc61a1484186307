"""Input that can't be read at all is refused in one line that names it, and nothing is written."""

import contextlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_fn.batch import plan
from lambda_fn.tables.errors import InputRefused
from tests.lambda_fn.batch.market import table
from tests.lambda_fn.batch.runs import run

HEADER = b"unique_id,ds,y\n"


@pytest.fixture(scope="module")
def small():
    return table(3)


def test_a_file_that_is_not_there(refusal, tmp_path):
    assert refusal(tmp_path / "none.csv") == f"{tmp_path}/none.csv: no such file"
    assert refusal(tmp_path / "none") == f"{tmp_path}/none: no such file or folder"


def test_one_missing_file_among_others_refuses_all(refusal, prices, tmp_path):
    assert refusal(prices, tmp_path / "none.parquet") == f"{tmp_path}/none.parquet: no such file"


def test_no_place_at_all(refusal):
    assert refusal() == "no file of prices was named"


@pytest.mark.parametrize("content", [HEADER, HEADER.rstrip(), HEADER + b"\n  \n\r\n"])
def test_a_header_alone(refusal, tmp_path, content):
    (tmp_path / "p.csv").write_bytes(content)
    assert refusal(tmp_path / "p.csv") == "the files hold no rows of prices"


def test_parquet_without_a_row(refusal, small, tmp_path):
    path = tmp_path / "p.parquet"
    pq.ParquetWriter(path, pa.Table.from_pandas(small, preserve_index=False).schema).close()
    assert refusal(path) == "the files hold no rows of prices"


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_parquet_file_with_any_bytes_changed_is_read_or_refused_and_never_crashes(tmp_path_factory, small, data):
    folder = tmp_path_factory.mktemp("damaged")
    small.to_parquet(folder / "p.parquet", index=False)
    content = bytearray((folder / "p.parquet").read_bytes())
    at = data.draw(st.integers(4, len(content) - 5))
    damage = data.draw(st.binary(min_size=1, max_size=30))
    content[at : at + len(damage)] = damage[: len(content) - 4 - at]
    (folder / "p.parquet").write_bytes(content)
    with contextlib.suppress(InputRefused):
        run(folder / "p.parquet", folder / "out")


# The run would stand under the digest of what was there before.
def test_a_file_that_changes_while_it_is_read(refusal, small, tmp_path, monkeypatch):
    path, read = tmp_path / "p.csv", plan.read_closes
    path.write_text(small.to_csv(index=False))

    def meanwhile(*arguments):
        with path.open("a") as file:
            file.write("late,2026-11-19,1\n")
        return read(*arguments)

    monkeypatch.setattr(plan, "read_closes", meanwhile)
    assert "p.csv" in refusal(path)
