"""`efemera promote` as a user meets it: what it says, what it exits with, and what lies in the champion's folder."""

import json

import pytest

from tests.export.evaluation.simulated import as_csv, contents, exported, in_this_process, put, world

pytestmark = pytest.mark.slow

QUICK = ("--skip-slow", "--refit-every", 200)


@pytest.fixture(autouse=True)
def one_process():
    with in_this_process:
        yield


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder to stand in, with prices.csv and the exported sets fine, narrow and late."""
    as_csv(world(), tmp_path / "prices.csv")
    for kind in ("fine", "narrow", "lopsided"):
        put(kind, tmp_path / kind)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_better_candidate_is_promoted(efemera, files):
    (files / "notes.md").write_text("## What was tried\n\nPatience.\n", encoding="utf-8")
    code, out, err = efemera(
        "promote", "fine", "-p", "prices.csv", "--champion", "narrow", "--notes", "notes.md", *QUICK
    )
    assert code == 0
    assert "verdict: calibrated" in out.splitlines()
    lines = err.splitlines()
    assert lines[-1] == "promoted into narrow: fine_1, calibrated"
    assert lines[-2].startswith("pinball loss against the champion, all steps: 0.")
    now = contents(files / "narrow")
    assert {name: now[name] for name in exported("fine")} == exported("fine")
    assert json.loads(now["evaluation.json"])["verdict"] == "calibrated"
    assert "Patience." in now["README.md"].decode()
    assert contents(files / "fine") == exported("fine")


def test_a_worse_one_is_refused_with_exit_code_3_unless_forced(efemera, files):
    code, _, err = efemera("promote", "lopsided", "-p", "prices.csv", "--champion", "fine", *QUICK)
    assert code == 3
    refusal = err.splitlines()[-1]
    assert refusal.startswith("efemera: not promoted: It is worse than the champion fine_1")
    assert contents(files / "fine") == exported("fine")
    code, _, err = efemera(
        "promote", "lopsided", "-p", "prices.csv", "--champion", "fine", *QUICK, "--force", " two days ahead are rare "
    )
    assert code == 0
    assert json.loads((files / "fine" / "evaluation.json").read_text(encoding="utf-8"))["forced"] == (
        "two days ahead are rare"
    )


def test_a_rejected_one_is_told_why_and_no_champion_needs_be_there(efemera, files):
    code, out, err = efemera("promote", "narrow", "-p", "prices.csv", "--champion", "new", *QUICK)
    assert code == 3
    assert "verdict: rejected" in out.splitlines()
    assert "efemera: not promoted: The 80% interval held 3" in err
    assert not (files / "new").exists()
    code, _, err = efemera("promote", "fine", "-p", "prices.csv", "--champion", "new", *QUICK)
    assert code == 0
    assert "against the champion" not in err
    assert json.loads((files / "new" / "manifest.json").read_text(encoding="utf-8"))["model_version"] == "fine_1"


def test_without_the_comparison_only_the_verdict_counts(efemera, files):
    code, _, err = efemera("promote", "lopsided", "-p", "prices.csv", "--champion", "fine", "--no-champion", *QUICK)
    assert code == 0
    assert err.splitlines()[-1] == "promoted into fine: lopsided_1, calibrated"
    assert contents(files / "fine").items() >= exported("lopsided").items()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("absent", "--champion", "fine"), "absent: holds no exported model (no manifest.json)"),
        (("fine", "--champion", "fine"), "fine: is the champion itself"),
        (("fine", "--champion", "./narrow/../fine"), "fine: is the champion itself"),
        (("fine", "--champion", "narrow", "--force", ""), "--force: say why, in words"),
        (("fine", "--champion", "narrow", "--force", "  "), "--force: say why, in words"),
        (("fine", "--champion", "narrow", "--notes", "absent.md"), "--notes absent.md: no readable text file"),
        (("fine", "--champion", "narrow", "--from", "soon"), "--from: 'soon' is not a calendar date (YYYY-MM-DD)"),
        (("fine", "--champion", "narrow", "--from", "2030-01-01"), "no case is left: a series needs 250 closes"),
        (("fine", "--champion", "narrow", "--refit-every", "0"), "--refit-every: 0 is no number of sessions"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(efemera, files, arguments, words):
    code, out, err = efemera("promote", *arguments, "-p", "prices.csv", "--skip-slow")
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("efemera: ")
    assert words in err
    assert contents(files / "narrow") == exported("narrow")
    assert contents(files / "fine") == exported("fine")


def test_a_champion_that_is_not_whole_is_named(efemera, files):
    (files / "narrow" / "weights.npz").write_bytes(b"other")
    code, _, err = efemera("promote", "fine", "-p", "prices.csv", "--champion", "narrow", *QUICK)
    assert code == 3
    assert err.startswith("efemera: narrow/weights.npz: not the file that manifest.json names")
