"""`efemera batch` and `efemera batch scores` as a user meets them."""

import gzip
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lambda_fn.batch import served_model
from lambda_fn.model.manifest import read_manifest
from tests.lambda_fn.batch import oracle
from tests.lambda_fn.batch.conftest import MODELS
from tests.lambda_fn.batch.market import DAY, days, one, table
from tests.lambda_fn.batch.runs import whole

pytestmark = pytest.mark.slow

EARLIER = str(days(3)[0].date())
FAST = ("--processes", "1")


@pytest.fixture(scope="module")
def closes():
    return table(30, seed=8)


def test_a_run_says_what_came_of_it(efemera, market, closes, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = efemera("batch", "-p", market, "-o", out, "--as-of", DAY, "--calendar", "BVMF", *FAST)
    assert (code, stderr) == (0, "")
    [folder] = (out / "runs" / DAY).iterdir()
    manifest, evaluation = served_model.manifest(), json.loads((MODELS / "evaluation.json").read_text())
    assert stdout.splitlines() == [
        f"30 of 33 series forecast as of {DAY}",
        f"        1 bad price, such as VALE, ON: y '0.0' on {DAY} in prices.parquet is no price between 1e-9 and 1e12",
        f"        1 stale, such as old: last close on 2026-01-02, more than 5 sessions before {DAY}",
        f"        1 too short, such as short: 3 closes up to {DAY}; 60 are needed",
        f"written: {folder}",
        f"model {manifest.model_version}, verdict: {evaluation['verdict']}; no investment advice",
    ]
    expected = oracle.forecasts(closes, DAY)
    found = whole(folder / "forecasts", ["unique_id", "step"])
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_exact=True)
    assert sorted(path.name for path in out.iterdir()) == ["runs"]  # the shards were elsewhere, and are gone

    code, stdout, _ = efemera("batch", "-p", market, "-o", out, "--as-of", DAY, "--calendar", "BVMF", *FAST)
    assert code == 0
    assert stdout.splitlines()[-2] == f"there already: {folder}"


def test_json_is_the_success_file_and_where_it_is(efemera, market, tmp_path):
    for found in (False, True):
        code, stdout, stderr = efemera(
            "batch", "-p", market, "-o", tmp_path / "out", "--as-of", DAY, "--stale-after", "1000", "--json", *FAST
        )
        told = json.loads(stdout)
        assert (code, stderr) == (0, "")
        assert told.pop("found") is found
        assert json.loads((Path(told.pop("run")) / "_SUCCESS.json").read_text()) == told
        assert (told["forecast"], told["refused"]) == (31, {"bad price": 1, "too short": 1})


def test_many_places_and_processes_give_the_same(efemera, closes, tmp_path):
    halves = closes["unique_id"] < "S0015"
    closes[halves].to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.csv.gz").write_bytes(gzip.compress(closes[~halves].to_csv(index=False).encode()))
    code, stdout, _ = efemera(
        "batch", "-p", tmp_path / "a.csv", "-p", tmp_path / "more", "-o", tmp_path / "out", "--as-of", DAY, "--json",
        "--processes", "3",
    )  # fmt: skip
    expected = oracle.forecasts(closes, DAY)
    found = whole(Path(json.loads(stdout)["run"]) / "forecasts", ["unique_id", "step"])
    assert code == 0
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_exact=True)


def test_another_model_can_be_named(efemera, market, tmp_path, other_model):
    told = []
    for flags in ((), ("--model", other_model)):
        _, stdout, _ = efemera("batch", "-p", market, "-o", tmp_path / "out", "--as-of", DAY, "--json", *flags, *FAST)
        told.append(json.loads(stdout))
    assert [one["model_version"] for one in told] == [read_manifest(MODELS).model_version, "other-1"]
    first, second = (whole(Path(one["run"]) / "forecasts", ["unique_id", "step"]) for one in told)
    assert (first["efemera"] != second["efemera"]).all()


def test_nothing_is_cut_on_a_screen_of_80_columns(efemera, scored, market, tmp_path):
    again = ("batch", "-p", market, "-o", tmp_path / "out", "--as-of", DAY, *FAST)
    efemera(*again)  # from the second time on it says "there already"
    for command in (again, ("batch", "scores", "-o", scored)):
        wide, narrow = efemera(*command)[1], efemera(*command, columns=80)[1]
        assert narrow == wide
        assert "…" not in narrow


def refused(efemera, *arguments, code=2):
    """Return the one line of a refusal."""
    found, stdout, stderr = efemera("batch", *arguments)
    assert (found, stdout) == (code, "")
    assert stderr.startswith("efemera: ")
    assert stderr.count("\n") == 1
    return stderr.removeprefix("efemera: ").rstrip("\n")


def test_what_is_missing_is_named(efemera, market, tmp_path):
    assert refused(efemera) == "--prices is missing; see efemera batch --help"
    assert refused(efemera, "-p", market) == "--out is missing; see efemera batch --help"
    assert refused(efemera, "-p", market, "-o", tmp_path) == "--as-of is missing; see efemera batch --help"
    assert refused(efemera, "scores") == "--out is missing; see efemera batch scores --help"


@pytest.mark.parametrize("day", ["2026-02-30", "19/11/2026", "today"])
def test_a_day_that_is_none_is_refused(efemera, market, tmp_path, day):
    said = refused(efemera, "-p", market, "-o", tmp_path / "out", "--as-of", day)
    assert said == f"--as-of: {day!r} is not a calendar date (YYYY-MM-DD)"


def test_input_that_can_not_be_read_is_refused_and_nothing_is_written(efemera, market, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "cut.parquet").write_bytes(market.read_bytes()[:-9])
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for path, words in (
        (tmp_path / "none.csv", f"{tmp_path}/none.csv: no such file"),
        (tmp_path / "empty.csv", f"{tmp_path}/empty.csv: empty file"),
        (tmp_path / "cut.parquet", f"{tmp_path}/cut.parquet: the Parquet data is cut short"),
        (tmp_path / "other.csv", f"{tmp_path}/other.csv: the columns are 'a', 'b'; known layouts are"),
    ):
        assert refused(efemera, "-p", path, "-o", out, "--as-of", DAY, *FAST).startswith(words)
    said = refused(efemera, "-p", market, "-o", out, "--as-of", DAY, "--calendar", "BOVESPA", *FAST)
    assert said == "--calendar: 'BOVESPA' is not one of BVMF, XNYS, 24/7, weekdays"
    assert "1602" in refused(efemera, "-p", market, "-o", out, "--as-of", "0001-01-01", *FAST)
    assert not out.exists()


def test_an_out_that_can_hold_nothing_is_refused_before_any_work(efemera, market, tmp_path):
    (tmp_path / "file").write_text("x")
    for out, words in (
        (tmp_path / "file", "is not a folder"),
        (tmp_path / "file" / "deeper", f"{tmp_path}/file is not a folder"),
    ):
        assert refused(efemera, "-p", tmp_path / "none.csv", "-o", out, "--as-of", DAY) == f"--out {out}: {words}"
    assert refused(efemera, "-p", market, "-o", "s3://x", "--as-of", DAY, *FAST) == (
        "s3://x: 'x' is not the name of a bucket; the form is s3://bucket/key"
    )


@pytest.mark.parametrize("flags", [("--stale-after", "-1"), ("--stale-after", "x"), ("--processes", "0"), ("--nope",)])
def test_a_flag_that_is_wrong_is_usage(efemera, market, tmp_path, flags):
    code, stdout, stderr = efemera("batch", "-p", market, "-o", tmp_path / "out", "--as-of", DAY, *flags)
    assert (code, stdout) == (2, "")
    assert flags[0] in stderr
    assert not (tmp_path / "out").exists()


def test_a_model_that_fails_its_proof_is_a_gate(efemera, market, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(MODELS, broken)
    with (broken / "model.onnx").open("ab") as file:
        file.write(b"x")
    said = refused(efemera, "-p", market, "-o", tmp_path / "out", "--as-of", DAY, "-m", broken, *FAST, code=3)
    assert said.startswith(f"{broken}/model.onnx: not the file that manifest.json names")
    none = tmp_path / "none"
    said = refused(efemera, "-p", market, "-o", tmp_path / "out", "--as-of", DAY, "-m", none, *FAST, code=3)
    assert said == f"{none}/manifest.json: missing or not readable"
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_not_whole_is_a_gate(efemera, market, tmp_path):
    command = ("-p", market, "-o", tmp_path / "out", "--as-of", DAY, *FAST)
    efemera("batch", *command)
    [folder] = (tmp_path / "out" / "runs" / DAY).iterdir()
    (folder / "_SUCCESS.json").unlink()
    [part] = (folder / "forecasts").iterdir()
    part.write_bytes(b"x")
    said = refused(efemera, *command, code=3)
    assert said.startswith("1 of 1 shards are not whole; the first: ")
    assert said.endswith("forecasts/part-00000.parquet is not the file that its worker wrote")
    assert not (folder / "_SUCCESS.json").exists()


@pytest.mark.parametrize("name", ["plan.json", "done/00000.json", "_SUCCESS.json"])
def test_a_damaged_file_of_a_run_is_named(efemera, market, tmp_path, name):
    command = ("-p", market, "-o", tmp_path / "out", "--as-of", DAY, *FAST)
    efemera("batch", *command)
    [folder] = (tmp_path / "out" / "runs" / DAY).iterdir()
    if name != "_SUCCESS.json":
        (folder / "_SUCCESS.json").unlink()
    (folder / name).write_text('{"half')
    found, _, stderr = efemera("batch", *command)
    assert found in (2, 3)
    assert name in stderr


def test_a_damaged_earlier_run_is_named_or_passed_over(efemera, market, tmp_path):
    efemera("batch", "-p", market, "-o", tmp_path / "out", "--as-of", EARLIER, *FAST)
    [folder] = (tmp_path / "out" / "runs" / EARLIER).iterdir()
    (folder / "_SUCCESS.json").write_text('{"half')
    code, _, stderr = efemera("batch", "-p", market, "-o", tmp_path / "out", "--as-of", DAY, *FAST)
    assert code == 0 or "_SUCCESS.json" in stderr


def test_a_run_whose_status_was_taken_away_is_still_told(efemera, market, tmp_path):
    command = ("batch", "-p", market, "-o", tmp_path / "out", "--as-of", DAY, *FAST)
    efemera(*command)
    [folder] = (tmp_path / "out" / "runs" / DAY).iterdir()
    shutil.rmtree(folder / "status")
    code, stdout, _ = efemera(*command)
    assert code == 0
    assert [line.strip() for line in stdout.splitlines()][:4] == [
        f"30 of 33 series forecast as of {DAY}", "1 bad price", "1 stale", "1 too short",
    ]  # fmt: skip


def test_a_name_of_many_lines_is_shown_on_one(efemera, tmp_path):
    one("two\nlines\tand " + "x" * 500, np.full(3, 1.0)).to_parquet(tmp_path / "p.parquet", index=False)
    _, stdout, _ = efemera("batch", "-p", tmp_path / "p.parquet", "-o", tmp_path / "out", "--as-of", DAY, *FAST)
    shown = ("two lines and " + "x" * 500)[:40]
    assert stdout.splitlines()[1] == f"        1 too short, such as {shown}: 3 closes up to {DAY}; 60 are needed"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_without_permission_is_refused(efemera, market, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    said = refused(efemera, "-p", market, "-o", tmp_path / "locked" / "out", "--as-of", DAY)
    assert said == f"--out {tmp_path}/locked/out: can't be written (no permission in {tmp_path}/locked)"


@pytest.mark.parametrize("command", ["batch", "batch scores"])
def test_help_has_an_example_for_each_way_to_use_it(efemera, command):
    code, stdout, _ = efemera(*command.split(), "--help", columns=100)
    assert code == 0
    shown = " ".join(stdout.split())
    assert f"Example: efemera {command} --" in shown
    if command == "batch":
        assert "From and to S3: efemera batch --prices s3://bucket/prices/ --out s3://bucket/forecasts" in shown
        assert "efemera batch scores --out forecasts" in shown
