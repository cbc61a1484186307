"""Promotion: a candidate replaces the champion whole, with its verdict, or leaves everything as it was."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from export.conversion.artefacts import DATA_FILES
from export.errors import GateRefused, InputError
from export.evaluation.evaluation_file import digest_of
from export.evaluation.promotion import promote, stand
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.manifest import ModelRefused
from tests.export.evaluation.simulated import QUICK, contents, exported, gate, in_this_process, put, world

pytestmark = pytest.mark.slow

SET = {*DATA_FILES, "manifest.json"}
REASON = "the old one\nmisses | new tickers"


@pytest.fixture
def champion(tmp_path):
    """The folder of a champion that was once forced: `narrow`."""
    folder = put("narrow", tmp_path / "champion")
    promote(gate("narrow"), folder, folder, forced="there was none")
    return folder


@pytest.fixture
def candidate(tmp_path):
    return put("fine", tmp_path / "candidate")


def stated(folder):
    return json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))


def states(folder, name, value):
    """Let the manifest say something else of the training data; `None` of all of them."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["training_data"] = {**manifest["training_data"], name: value} if name else None
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_a_fine_candidate_takes_the_champions_place(champion, candidate):
    found = gate("fine", "narrow")
    assert found.evaluation["verdict"] == "calibrated"
    assert found.objections == []
    assert found.against["high"] < 1
    promote(found, candidate, champion, notes="## What was tried\n\nA wider network.")
    now = contents(champion)
    assert now.keys() == SET | {"evaluation.json", "README.md"}
    assert {name: now[name] for name in SET} == exported("fine")
    assert stated(champion)["model_version"] == "fine_1"
    assert stated(champion)["verdict"] == "calibrated"
    assert stated(champion)["sha256"] == digest_of(stated(champion))
    assert "forced" not in stated(champion)
    assert "A wider network." in now["README.md"].decode()
    served = Forecaster(champion)
    assert served.verdict == "calibrated"
    assert served.model_digest == stated(champion)["model_digest"]


def test_a_first_champion_needs_no_other(tmp_path, candidate):
    found = gate("fine")
    assert found.against is None
    promote(found, candidate, tmp_path / "models")
    assert Forecaster(tmp_path / "models").verdict == "calibrated"


def test_a_rejected_candidate_leaves_the_folder_as_it_was(champion, tmp_path):
    before, worse = contents(champion), put("narrow", tmp_path / "narrow")
    found = gate("narrow", "fine")
    assert found.evaluation["verdict"] == "rejected"
    with pytest.raises(GateRefused, match=r"not promoted: .*The 80% interval held 3\d\.\d% of the closes"):
        promote(found, worse, champion)
    assert contents(champion) == before


def test_one_that_is_worse_than_the_champion_is_refused_though_calibrated(champion, tmp_path):
    before, worse = contents(champion), put("lopsided", tmp_path / "lopsided")
    found = gate("lopsided", "fine")
    assert found.evaluation["verdict"] == "calibrated"
    assert found.against["low"] > 1
    with pytest.raises(GateRefused, match=r"worse than the champion fine_1\b.* pinball loss .*1\.\d{4}"):
        promote(found, worse, champion)
    assert contents(champion) == before


def test_a_reason_promotes_against_the_gate_and_is_recorded(champion, tmp_path):
    worse = put("lopsided", tmp_path / "lopsided")
    promote(gate("lopsided", "fine"), worse, champion, forced=REASON)
    assert {name: contents(champion)[name] for name in SET} == exported("lopsided")
    assert stated(champion)["forced"] == REASON
    card = (champion / "README.md").read_text(encoding="utf-8")
    assert "- It was promoted against the gate's refusal: the old one misses \\| new tickers\n" in card


def test_a_forced_rejected_model_keeps_its_verdict(champion):
    assert stated(champion)["forced"] == "there was none"
    assert Forecaster(champion).verdict == "rejected"


def test_a_reason_that_was_not_needed_is_not_recorded(champion, candidate):
    promote(gate("fine", "narrow"), candidate, champion, forced=REASON)
    assert "forced" not in stated(champion)


def test_models_of_other_steps_and_quantiles_are_not_compared(candidate, model):
    with pytest.raises(InputError, match="do not forecast the same steps and quantiles"):
        stand(world(), candidate, model, QUICK, lambda *_: None)


@pytest.mark.parametrize("later", ["candidate", "champion"])
def test_both_are_judged_on_what_neither_has_seen(later, champion, candidate):
    states(champion if later == "champion" else candidate, "last_date", str(world().ds.min() + 500))
    with in_this_process:
        found = stand(world(), candidate, champion, QUICK, lambda *_: None)
    sessions = np.unique(world().ds)
    assert found.evaluation["data"]["first_cutoff"] == str(sessions[sessions > sessions[500]][2])


def test_a_table_without_closes_that_the_champion_has_not_seen_is_refused(champion, candidate):
    states(champion, "last_date", str(world().ds.max()))
    with in_this_process, pytest.raises(InputError):
        stand(world(), candidate, champion, QUICK, lambda *_: None)


def test_a_candidate_that_does_not_say_what_it_has_seen_needs_a_first_day(champion, candidate):
    states(candidate, None, None)
    with in_this_process, pytest.raises(InputError, match="--from"):
        stand(world(), candidate, champion, QUICK, lambda *_: None)


def test_a_candidate_may_be_judged_where_only_from_says_so(champion, candidate):
    states(candidate, None, None)
    settings = dataclasses.replace(QUICK, first=world().ds.min() + 450)
    with in_this_process:
        found = stand(world(), candidate, champion, settings, lambda *_: None)
    assert found.evaluation["data"]["first_cutoff"] == str(settings.first)
    assert found.evaluation["data"]["seen"].startswith("unknown")


@pytest.mark.parametrize("files", range(9))
def test_a_kill_between_files_leaves_a_set_that_is_refused_or_tells_no_other_models_verdict(
    files, champion, candidate, monkeypatch
):
    old = Forecaster(champion).model_digest
    found, moved, replace = gate("fine", "narrow"), [], Path.replace

    def killed(path, target):
        if len(moved) == files:
            raise KeyboardInterrupt
        moved.append(Path(target).name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", killed)
    try:
        promote(found, candidate, champion)
        assert files == 8
    except KeyboardInterrupt:
        assert files < 8
    monkeypatch.undo()
    assert moved == [*DATA_FILES, "manifest.json", "evaluation.json", "README.md"][:files]
    assert contents(champion).keys() == SET | {"evaluation.json", "README.md"}
    if 0 < files < len(SET):
        with pytest.raises(ModelRefused):
            Forecaster(champion)
        return
    served = Forecaster(champion)
    assert (served.model_digest == old) == (files == 0)
    assert served.verdict == {0: "rejected", 6: "unevaluated"}.get(files, "calibrated")


def test_after_a_kill_promoting_again_ends_it(champion, candidate, monkeypatch):
    def killed(_path, _target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        promote(gate("fine", "narrow"), candidate, champion)
    monkeypatch.undo()
    promote(gate("fine", "narrow"), candidate, champion)
    assert Forecaster(champion).verdict == "calibrated"


def test_a_folder_that_cannot_be_written_is_one_sentence(candidate, tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(InputError, match="file: can't be written"):
        promote(gate("fine"), candidate, tmp_path / "file")
