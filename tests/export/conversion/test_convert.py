"""A set of artefacts: whole or refused, proven again from its files alone, and what its schemas say."""

import hashlib
import json
import os
import shutil
import signal
import warnings
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest

from export.conversion import artefacts
from export.conversion.artefacts import DATA_FILES, write_set
from export.conversion.convert import check_bundle, export_bundle
from export.conversion.parity_windows import held_out_windows
from export.errors import GateRefused, InputError
from export.schemas import SCHEMAS, as_json
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.manifest import ModelRefused
from tests.export.conftest import SMALL, stirred


@pytest.fixture(scope="module")
def another(exported):
    return exported(SMALL, seed=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_every_artefact_is_there_and_nothing_else(model):
    assert set(contents(model)) == {*DATA_FILES, "manifest.json"}
    assert all(path.is_file() for path in model.iterdir())


@pytest.mark.parametrize("kind", ["manifest", "golden", "parity"])
def test_each_json_artefact_is_valid_under_its_schema(model, kind):
    schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads((model / f"{kind}.json").read_text()), schema)


def test_a_value_outside_its_schema_is_never_written():
    with pytest.raises(jsonschema.ValidationError):
        as_json("golden", {"schema_version": 1})


@pytest.mark.slow
def test_an_existing_set_is_proven_again_from_its_files_alone(model):
    certificate = check_bundle(model)
    assert certificate["worst"]["head"] <= certificate["tolerance"]["head"]


def test_held_out_windows_are_later_than_what_training_saw(prices):
    since = str(np.unique(prices.ds)[200])
    held_out = held_out_windows(prices, 60, {"data": {"last_date": since}})
    ends = {float(close) for close in prices.y[prices.ds > np.datetime64(since)]}
    assert {float(close) for close in held_out.prices[:, -1]} <= ends
    assert f"of 3 series after {since}" in held_out.words


@pytest.mark.slow
def test_a_refused_export_leaves_the_folder_as_it_was(model, another, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    before = contents(folder)
    monkeypatch.setattr("export.conversion.convert.export_onnx", lambda _: onnx.load(another / "model.onnx"))
    monkeypatch.setattr("export.conversion.parity.UNIT_ROUNDOFF", 0.0)
    with pytest.raises(GateRefused):
        export_bundle(stirred(SMALL, seed=1), {}, folder)
    assert contents(folder) == before
    fresh = tmp_path / "fresh"
    with pytest.raises(GateRefused):
        export_bundle(stirred(SMALL, seed=1), {}, fresh)
    assert not fresh.exists()


def killed_at(step: int, folder: Path, another: Path) -> bool:
    """Write the other set over `folder` in a child that is killed before its step-th flush or rename; was it?"""
    with warnings.catch_warnings(action="ignore"):  # forking beside library threads: the child only writes files
        child = os.fork()
    if child == 0:  # pragma: no cover - measured in no process that lives to tell
        try:
            steps = iter(range(1000))

            def before(action):
                def stepped(*arguments):
                    if next(steps) == step:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return action(*arguments)

                return stepped

            artefacts.os.fsync = before(os.fsync)
            Path.replace = before(Path.replace)
            files = contents(another)
            manifest = json.loads(files.pop("manifest.json"))
            write_set(folder, files, manifest)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.slow
def test_an_export_killed_at_any_step_leaves_a_whole_set_or_one_refused_by_name(model, another, tmp_path):
    old, new = Forecaster(model).model_digest, Forecaster(another).model_digest
    outcomes = []
    for step in range(1000):
        folder = Path(shutil.copytree(model, tmp_path / f"killed-{step}"))
        if not killed_at(step, folder, another):
            assert Forecaster(folder).model_digest == new
            break
        try:
            outcomes.append({old: "old", new: "new"}[Forecaster(folder).model_digest])
        except ModelRefused as refusal:
            outcomes.append("refused" if any(name in str(refusal) for name in DATA_FILES) else str(refusal))
        files = contents(another)
        manifest = json.loads(files.pop("manifest.json"))
        write_set(folder, files, manifest)  # the next export makes it whole
        assert Forecaster(folder).model_digest == new
    renames = len(DATA_FILES)
    assert outcomes == ["old"] * (len(outcomes) - renames - 1) + ["refused"] * renames + ["new"]
    assert len(outcomes) == 2 * (len(DATA_FILES) + 1) + 1  # a flush and a rename each, and the folder's flush


def test_a_folder_that_cannot_be_made_is_one_clear_line(model, tmp_path):
    (tmp_path / "file").write_text("in the way")
    files = contents(model)
    manifest = json.loads(files.pop("manifest.json"))
    with pytest.raises(InputError, match="can't be written"):
        write_set(tmp_path / "file" / "model", files, manifest)


def rewrite(folder: Path, name: str, change) -> None:
    """Change one JSON artefact and the manifest's digest of it, as a mistaken tool would."""
    value = json.loads((folder / name).read_text())
    change(value)
    (folder / name).write_text(json.dumps(value))
    if name != "manifest.json":
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        rewrite(folder, "manifest.json", lambda manifest: manifest["files"].update({name: digest}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantiles": [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]}, "quantiles is"),
        ({"cell": "gru"}, "cell is 'gru', in model_lstm.pth 'lstm'"),
        ({"scaling": "none"}, "scaling is"),
        ({"parameters": 1}, "parameters is 1"),
        ({"model_version": "[/x]"}, "model_version"),
        ({"horizon": 9}, "horizon"),
    ],
)
def test_a_manifest_that_says_what_the_checkpoint_denies_is_refused(model, tmp_path, change, words):
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    rewrite(folder, "manifest.json", lambda manifest: manifest.update(change))
    with pytest.raises(GateRefused, match=words):
        check_bundle(folder)


def test_golden_answers_that_are_not_the_models_are_refused(model, tmp_path):
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    rewrite(folder, "golden.json", lambda golden: golden["quantiles"][0][0].__setitem__(3, 1.0))
    with pytest.raises(GateRefused, match="differ from PyTorch's"):
        check_bundle(folder)


@pytest.mark.slow
def test_a_folder_where_a_file_must_go_changes_nothing(model, another, tmp_path):
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    (folder / "parity.json").unlink()
    (folder / "parity.json").mkdir()
    before = contents(folder)
    files = contents(another)
    manifest = json.loads(files.pop("manifest.json"))
    with pytest.raises(InputError, match="parity.json: is a folder where a file must go"):
        write_set(folder, files, manifest)
    assert contents(folder) == before
    assert not list(folder.glob(".export-*"))


def test_a_disk_that_is_full_changes_nothing(model, another, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    before = contents(folder)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artefacts.os, "fsync", full)
    files = contents(another)
    manifest = json.loads(files.pop("manifest.json"))
    with pytest.raises(InputError, match="can't be written \\(No space left on device"):
        write_set(folder, files, manifest)
    assert contents(folder) == before


def test_a_version_that_is_no_name_is_refused_before_the_work(tmp_path):
    with pytest.raises(InputError, match="--model-version 'a/b': takes up to 64 letters"):
        export_bundle(stirred(SMALL), {}, tmp_path / "out", model_version="a/b")


@pytest.mark.parametrize("name", DATA_FILES)
def test_a_set_with_one_file_altered_is_refused_by_that_name(model, tmp_path, name):
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    (folder / name).write_bytes((folder / name).read_bytes()[:-1] + b"?")
    with pytest.raises(GateRefused, match=name):
        check_bundle(folder)
