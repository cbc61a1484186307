"""`efemera evaluate` as a user meets it: the table, the verdict, the files, and one line for each mistake."""

import csv
import json

import pytest

from tests.export.evaluation.simulated import SMALL, as_csv, in_this_process, put, world

pytestmark = pytest.mark.slow

QUICK = ("--skip-slow", "--refit-every", 200)


@pytest.fixture(autouse=True)
def one_process():
    with in_this_process:
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with prices.csv, an exported model, and settings for training."""
    folder = tmp_path_factory.mktemp("evaluate")
    as_csv(world(), folder / "prices.csv")
    put("fine", folder / "model")
    (folder / "small.toml").write_text(
        f"window = 30\nhorizon = 2\nquantiles = {list(SMALL.quantiles)}\nhidden_size = 4\nlayers = 1\nepochs = 1\n"
    )
    (folder / "bad.toml").write_text("hiden_size = 4\n")
    (folder / "broken.toml").write_text("window 30\n")
    return folder


def test_a_fixed_model_is_shown_beside_the_baselines_with_its_verdict(efemera, files):
    code, out, err = efemera("evaluate", "-p", files / "prices.csv", "-m", files / "model", *QUICK)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["method", "error", "pinball", "all", "steps", "in", "50%", "in", "80%", "in", "95%"]
    rows = {line[0]: line[1:] for line in lines[2:8]}
    assert list(rows) == ["Efemera", "Naive", "Drift", "Constant", "EWMA", "GARCH-t"]
    assert rows["Naive"] == ["1.0000"]
    assert rows["EWMA"][1:3] == ["1.0000", "1.0000"]
    assert "verdict: calibrated" in out.splitlines()
    assert "  The intervals hold what they promise:" in out
    assert "forecasts of 3 series, 2016-02-06 to 2016-11-29; seen by the model: 3 of these 3 series, up to" in err


def test_json_is_the_written_evaluation_and_the_report_is_there(efemera, files):
    out, report = files / "out", files / "report"
    code, printed, err = efemera(
        "evaluate", "-p", files / "prices.csv", "-m", files / "model", *QUICK, "-o", out, "--report", report, "--json"
    )
    assert code == 0
    found = json.loads(printed)
    assert found == json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert found["mode"] == "fixed"
    assert found["settings"]["refit_every"] == 200
    assert f"written: {out}/scores.csv, {out}/evaluation.json" in err
    assert f"written: {report}/report.html and {len(list(report.glob('*.png')))} pictures" in err
    rows = list(csv.DictReader((out / "scores.csv").read_text(encoding="utf-8").splitlines()))
    [ours] = [line for line in found["scores"] if (line["part"], line["step"]) == ("all", 1)]
    told = {row["measure"]: row["value"] for row in rows
            if (row["part"], row["step"], row["method"]) == ("all", "1", "efemera")}  # fmt: skip
    assert float(told["rel_mae"]) == ours["methods"]["efemera"]["rel_mae"]
    assert float(told["coverage 80 share"]) == ours["methods"]["efemera"]["coverage"]["80"]["share"]
    assert {row["part"] for row in rows} > {"series S0", "series S1", "series S2"}
    assert "calibrated" in (report / "report.html").read_text(encoding="utf-8")
    assert {path.suffix for path in report.iterdir()} == {".html", ".png"}
    assert (report / "training.png").exists()  # the checkpoint tells the losses


def test_walking_forward_trains_and_judges_each_seed(efemera, files):
    out = files / "walked"
    code, printed, _ = efemera(
        "evaluate", "-p", files / "prices.csv", "--walk-forward", "--config", files / "small.toml", "--seeds", "0,3",
        *QUICK, "--out", out, "--json",
    )  # fmt: skip
    assert code == 0
    first, second = json.loads(printed)
    assert [one["settings"]["seeds"] for one in (first, second)] == [[0], [3]]
    assert first["mode"] == "walk-forward"
    assert first["data"]["first_cutoff"] == "2015-12-17"  # the middle of the table
    assert first == json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert second == json.loads((out / "seed-3" / "evaluation.json").read_text(encoding="utf-8"))
    ours, baseline = ([line["methods"][name] for line in (first["scores"][0], second["scores"][0])]
                      for name in ("efemera", "ewma"))  # fmt: skip
    assert ours[0] != ours[1]
    assert baseline[0] == baseline[1]


MODEL = ("-m", "model")


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("-m", "nowhere"), 3, "nowhere/manifest.json: missing or not readable"),
        ((*MODEL, "--from", "2030-01-01"), 2, "no case is left: a series needs 250 closes, a cutoff from 2030-01-01"),
        ((*MODEL, "--from", "2016-10-01"), 2, "60 cutoff dates are left to judge, of 100 at least"),
        ((*MODEL, "--from", "soon"), 2, "--from: 'soon' is not a calendar date (YYYY-MM-DD)"),
        ((*MODEL, "--refit-every", 0), 2, "--refit-every: 0 is no number of sessions"),
        ((*MODEL, "--processes", 0), 2, "--processes: 0 is no number of processes"),
        ((*MODEL, "--seeds", "1"), 2, "--config and --seeds go with --walk-forward"),
        ((*MODEL, "--config", "small.toml"), 2, "--config and --seeds go with --walk-forward"),
        (("--walk-forward", "--seeds", "x"), 2, "--seeds: 'x' is not a comma-separated list of whole numbers"),
        (("--walk-forward", "--seeds", "1,,2"), 2, "--seeds: '1,,2' is not a comma-separated list of whole numbers"),
        (("--walk-forward", "--seeds", "-1"), 2, "seed: -1 is not between 0 and"),
        (("--walk-forward", "--config", "absent.toml"), 2, "absent.toml: no such file"),
        (("--walk-forward", "--config", "bad.toml"), 2, "bad.toml: unknown key 'hiden_size'; known are window"),
        (("--walk-forward", "--config", "broken.toml"), 2, "broken.toml: not a readable TOML file"),
        (("--walk-forward", "--refit-every", -5), 2, "--refit-every: -5 is no number of sessions"),
    ],
)
def test_a_mistake_is_one_line(efemera, files, monkeypatch, flags, code, words):
    monkeypatch.chdir(files)
    ended, out, err = efemera("evaluate", "-p", "prices.csv", "--skip-slow", *flags)
    assert ended == code
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("efemera: ")
    assert words in lines[0]


def test_a_table_that_ends_where_the_training_did_asks_for_later_closes(efemera, files):
    known = as_csv(world(), files / "early.csv")
    rows = known.read_text(encoding="utf-8").splitlines()
    known.write_text("\n".join(row for row in rows if row.split(",")[1] <= "2016-02-03" or row.startswith("unique")))
    code, _, err = efemera("evaluate", "-p", known, "-m", files / "model", "--skip-slow")
    assert code == 2
    assert err.startswith("efemera: the model was trained on closes up to 2016-02-03, and the table has 0 sessions")
    assert "--from DAY" in err


def test_a_model_that_says_nothing_of_its_training_asks_for_from(efemera, files, model):
    code, _, err = efemera("evaluate", "-p", files / "prices.csv", "-m", model, "--skip-slow")
    assert code == 2
    assert err == (
        "efemera: the model does not say what it was trained on; say from which day on to judge it: --from\n"
    )
