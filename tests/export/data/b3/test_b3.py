"""`efemera data b3` and `data sample`, as a user runs them."""

import datetime
import json
import os
import signal
import subprocess
import sys
from functools import partial

import pytest
from typer.testing import CliRunner

from export.cli import app
from export.errors import InputError
from tests.export.data.b3.cotahist_records import DAY, content, record, write_file

SPLIT = record(cents=1800, day=DAY + datetime.timedelta(days=3), distribution=126, especi="PN  EG  N2")
BOTH = [record(), record("VALE3", 6063, isin="BRVALEACNOR0"), record("BOVA11", 12_500, bdi="14"), SPLIT]


@pytest.fixture
def file(tmp_path):
    return write_file(tmp_path / "COTAHIST_M112024.TXT", *BOTH)


@pytest.fixture
def data(efemera):
    """Run `efemera data`: exit code, stdout, stderr."""
    return partial(efemera, "data")


def test_a_file_becomes_a_table_and_what_is_suspect_is_said(data, tmp_path, file):
    out = tmp_path / "b3.csv"
    code, _, err = data("b3", file, "--out", out)
    assert code == 0, err
    assert out.read_text() == (
        "unique_id,ds,y\nPETR4,2024-11-08,36.18\nPETR4,2024-11-11,18.0\nVALE3,2024-11-08,60.63\n"
    )
    assert "warning: PETR4: suspected ex-date, not adjusted: 2024-11-11 (EG)" in err
    assert "warning: PETR4 on 2024-11-11: the close went from 36.18 to 18" in err
    assert "1 suspected ex-date" in err
    assert err.endswith(f"wrote {out}: 2 series, 3 closes, 2024-11-08 to 2024-11-11\n")


def test_a_table_of_actions_adjusts_and_explains(data, tmp_path, file):
    actions = tmp_path / "actions.csv"
    actions.write_text("unique_id,ds,kind,value\nPETR4,2024-11-09,split,2\nPETR4,2030-01-02,dividend,1\n")
    out = tmp_path / "b3.csv"
    code, _, err = data("b3", file, "--out", out, "--adjust", actions, "--volume")
    assert code == 0, err
    assert out.read_text().splitlines()[1:3] == ["PETR4,2024-11-08,18.09,1000", "PETR4,2024-11-11,18.0,1000"]
    assert "suspected" not in err
    assert "warning" not in err
    assert f"{actions}: applied 1 of 2 corporate actions" in err
    assert f"{actions} line 3: without effect" in err


def test_the_summary_as_json(data, tmp_path, file):
    _, out, _ = data("b3", file, "--out", tmp_path / "b3.parquet", "--etf", "-t", "petr4", "-t", "BOVA11", "--json")
    found = json.loads(out)
    assert (found["series"], found["rows"], found["first"], found["last"]) == (2, 3, "2024-11-08", "2024-11-11")
    assert found["suspected_ex_dates"] == [{"unique_id": "PETR4", "ds": "2024-11-11", "reason": "EG"}]
    assert len(found["suspected_splits"]) == 1


def test_its_table_is_what_the_rest_reads(efemera, data, tmp_path):
    days = [DAY - datetime.timedelta(days=number) for number in range(90)]
    file = write_file(tmp_path / "a.txt", *(record(cents=3000 + day.day, day=day) for day in days))
    assert data("b3", file, "--out", tmp_path / "b3.parquet")[0] == 0
    _, out, _ = efemera("predict", "--prices", tmp_path / "b3.parquet", "--json")
    assert json.loads(out)["forecasts"][0]["last_date"] == str(DAY)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.txt"], "none.txt: no such file"),
        (["bad.txt"], "bad.txt line 3: FATCOT is '0000000', not a factor"),
        (["good.txt", "--bdi", "2"], "--bdi: '2' is not a code of 2 digits, such as 02"),
        (["good.txt", "--market", "abc"], "--market: 'abc' is not a code of 3 digits, such as 010"),
        (["good.txt", "--adjust", "none.csv"], "none.csv: can't be read (No such file or directory)"),
        (["good.txt", "-t", "NONE3"], "--ticker NONE3: these files have no quote of it in market (TPMERC) 010 "),
    ],
)
def test_bad_input_is_one_line_and_leaves_what_was_there(data, tmp_path, monkeypatch, arguments, message):
    write_file(tmp_path / "good.txt", *BOTH)
    write_file(tmp_path / "bad.txt", record(), record("VALE3", factor=0))
    before = "an older table"
    (tmp_path / "out.csv").write_text(before)
    monkeypatch.chdir(tmp_path)
    code, _, err = data("b3", *arguments, "--out", "out.csv")
    assert code == 2
    assert err.startswith(f"efemera: {message}")
    assert err.count("\n") == 1
    assert (tmp_path / "out.csv").read_text() == before
    assert sorted(os.listdir(tmp_path)) == ["bad.txt", "good.txt", "out.csv"]


def test_the_table_of_actions_is_never_overwritten(data, tmp_path, file):
    actions = tmp_path / "actions.csv"
    actions.write_text("unique_id,ds,kind,value\n")
    code, _, _ = data("b3", file, "--out", actions, "--adjust", actions)
    assert (code, actions.read_text()) == (2, "unique_id,ds,kind,value\n")


def test_the_table_of_actions_is_known_by_any_name(data, tmp_path, file):
    (tmp_path / "sub").mkdir()
    actions = tmp_path / "actions.csv"
    actions.write_text("unique_id,ds,kind,value\n")
    assert data("b3", file, "--out", tmp_path / "sub" / ".." / "actions.csv", "--adjust", actions)[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_run_that_is_ended_leaves_nothing(tmp_path, number, code):
    command = [sys.executable, "-m", "export", "data", "sample", "--series", "1000", "--days", "1500", "--out"]
    with subprocess.Popen(
        [*command, str(tmp_path / "s.csv.gz")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.default_int_handler if code == 130 else signal.SIG_DFL),
    ) as running:
        while not list(tmp_path.glob(".efemera-*/s.csv.gz")):  # it has begun to write
            assert running.poll() is None
        running.send_signal(number)
        said = running.stderr.read()
    assert running.returncode == code
    assert "Traceback" not in said
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_killed_run_leaves_no_table(tmp_path, file):
    """Whatever is half done lies in a hidden folder of its own, never at --out."""
    out = tmp_path / "b3.csv"
    code = (
        "import os, export.data.destination as d\n"
        "d.os.fsync = lambda _: os._exit(9)\n"
        f"from export.cli import app\napp(['data', 'b3', {str(file)!r}, '--out', {str(out)!r}])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 9
    assert not out.exists()


def test_from_s3_to_s3(bucket):
    bucket.put_object(Bucket="market", Key="b3/COTAHIST_D1.TXT", Body=content(BOTH))
    bucket.put_object(Bucket="market", Key="bad/a.TXT", Body=content([record(factor=0)]))
    found = CliRunner().invoke(app, ["data", "b3", "s3://market/b3/", "--out", "s3://market/out.csv", "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["sources"] == ["s3://market/b3/COTAHIST_D1.TXT"]
    table = bucket.get_object(Bucket="market", Key="out.csv")["Body"].read().decode()
    assert table.splitlines()[0] == "unique_id,ds,y"
    assert len(table.splitlines()) == 4
    for place, message in (
        ("s3://market/none/", "no object directly under this prefix ends in .txt, .zip or .gz"),
        ("s3://market/bad/", "s3://market/bad/a.TXT line 2: FATCOT is '0000000'"),
    ):
        refused = CliRunner().invoke(app, ["data", "b3", place, "--out", "s3://market/other.csv"])
        assert isinstance(refused.exception, InputError)
        assert message in str(refused.exception)
    assert "other.csv" not in [item["Key"] for item in bucket.list_objects_v2(Bucket="market")["Contents"]]


def test_a_sample_is_a_table_of_the_size_asked_for(data, tmp_path):
    out = tmp_path / "sample.csv"
    code, _, err = data("sample", "--series", 3, "--days", 70, "--seed", 4, "--out", out)
    assert code == 0, err
    assert err == f"wrote {out}: 3 series, 210 closes, 2025-09-19 to 2025-12-30\n"
    again = tmp_path / "again.csv"
    data("sample", "--series", 3, "--days", 70, "--seed", 4, "--out", again)
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--end", "2024-02-30"], "--end: '2024-02-30' is not a calendar date (YYYY-MM-DD)"),
        (["--series", "1000000", "--days", "20000"], "--series 1000000 × --days 20000: makes more than 200,000,000"),
        (["--calendar", "weekdays", "--end", "0001-01-31"], "--days 1500: weekdays has "),
        (["--calendar", "NONE"], "--calendar: there is no calendar 'NONE'"),
        (["--out", "sample.xls"], "--out sample.xls: must end in .parquet, .csv.gz or .csv"),
    ],
)
def test_a_sample_that_cannot_be_made_is_one_line(data, tmp_path, arguments, message):
    code, _, err = data("sample", "--out", tmp_path / "sample.csv", *arguments)
    assert code == 2
    assert err.startswith(f"efemera: {message}")
    assert os.listdir(tmp_path) == []
