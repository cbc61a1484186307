"""Only a whole set that agrees with itself is published; a published one can be held against itself again."""

import hashlib
import json
import shutil

import pytest

from export.errors import GateRefused, InputError
from export.release import publish as publishing
from export.release.publish import LISTED, RELEASE, check_archived, open_archive, prove, read_set
from tests.export.release.published import MODELS, publish, with_other


@pytest.fixture(scope="module")
def found():
    return read_set(MODELS)


@pytest.fixture
def folder(tmp_path):
    """A copy of the committed set, to spoil."""
    copy = tmp_path / "set"
    copy.mkdir()
    for name in LISTED:
        shutil.copy(MODELS / name, copy / name)
    return copy


@pytest.fixture
def archive(found, tmp_path):
    """The committed set, published into a folder."""
    opened = open_archive(str(tmp_path / "archive"), "v")
    publish(found, opened)
    return opened


def edit(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def digest(content):
    return hashlib.sha256(content).hexdigest()


def test_the_release_lists_every_file_with_its_digest_and_size(found):
    release = json.loads(found.contents[RELEASE])
    assert release == {
        "schema_version": 1,
        "model_version": json.loads((MODELS / "manifest.json").read_text())["model_version"],
        "files": {
            name: {"sha256": digest((MODELS / name).read_bytes()), "size": (MODELS / name).stat().st_size}
            for name in LISTED
        },
    }


def test_the_release_is_a_function_of_the_files_alone(found, folder):
    assert read_set(folder).contents == found.contents


def test_a_folder_without_a_manifest_is_no_set(folder):
    (folder / "manifest.json").unlink()
    for place in (folder, folder / "none", folder / "model.onnx"):
        with pytest.raises(InputError, match=r"holds no exported model \(no manifest.json\)|can't be read"):
            read_set(place)


@pytest.mark.parametrize("name", ["model_lstm.pth", "model.onnx", "weights.npz", "golden.json", "parity.json"])
def test_a_file_of_the_set_that_was_altered_or_lost_is_named(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(GateRefused, match=rf"{name}: has SHA-256 [0-9a-f]{{12}}…, manifest.json says "):
        read_set(folder)
    (folder / name).unlink()
    with pytest.raises(GateRefused, match=f"{name}: missing"):
        read_set(folder)


def test_a_manifest_that_is_none_is_said(folder):
    (folder / "manifest.json").write_text("{")
    with pytest.raises(GateRefused, match="manifest.json: Expecting property name"):
        read_set(folder)
    (folder / "manifest.json").write_bytes(b"\xff")
    with pytest.raises(GateRefused, match="manifest.json: 'utf-8' codec"):
        read_set(folder)
    shutil.copy(MODELS / "manifest.json", folder)
    edit(folder / "manifest.json", model_version="../elsewhere")
    with pytest.raises(GateRefused, match=r"manifest.json: \$.model_version: '../elsewhere' does not match"):
        read_set(folder)


def test_an_evaluation_of_another_model_is_not_archived_with_this_one(folder):
    edit(folder / "evaluation.json", model_digest="0123456789ab")
    with pytest.raises(
        GateRefused, match="evaluation.json: judges the model 0123456789ab, and the set holds 6b8ce9d3d0db"
    ):
        read_set(folder)


def test_an_evaluation_that_was_touched_up_is_not_archived(folder):
    edit(folder / "evaluation.json", verdict="edge")
    with pytest.raises(GateRefused, match="evaluation.json: its content has not the SHA-256 that it states"):
        read_set(folder)


def test_a_set_without_the_optional_files_is_one_and_says_that_it_is_unevaluated(folder):
    for name in ("evaluation.json", "sessions.json", "README.md"):
        (folder / name).unlink()
    found = read_set(folder)
    assert set(LISTED) - set(found.contents) == {"evaluation.json", "sessions.json", "README.md"}
    assert found.warnings() == ["verdict: unevaluated. The archive keeps the set all the same; it serves nothing."]


def test_the_card_of_another_model_is_warned_of(found, folder):
    assert found.warnings() == []
    (folder / "README.md").write_text("# The model in this folder: 2019-1")
    assert read_set(folder).warnings() == [
        f"README.md does not name {found.model_version}; is it the card of another model?"
    ]


def test_files_that_are_replaced_while_they_are_proven_are_not_published(found, folder, monkeypatch):
    def replaced_meanwhile(path):
        (path / "README.md").write_text("another card")

    monkeypatch.setattr(publishing, "check_bundle", replaced_meanwhile)
    with pytest.raises(GateRefused, match="its files changed while they were proven; publish again"):
        prove(folder, found)


def test_what_was_published_is_verified(found, archive):
    heard = []
    assert check_archived(archive, heard.append) == found
    assert sorted(heard) == sorted((*LISTED, RELEASE))


@pytest.mark.parametrize("name", LISTED)
def test_every_altered_file_is_found(archive, tmp_path, name):
    path = tmp_path / "archive" / "v" / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(GateRefused, match=f"v: {name} has SHA-256 [0-9a-f]{{12}}…, release.json says "):
        check_archived(archive)


def test_all_that_is_damaged_is_named_in_one_line(archive, tmp_path):
    place = tmp_path / "archive" / "v"
    (place / "golden.json").unlink()
    (place / "model.onnx").write_bytes(b"")
    with pytest.raises(GateRefused) as caught:
        check_archived(archive)
    assert str(caught.value) == (
        f"{place}: model.onnx has SHA-256 e3b0c44298fc…, release.json says 6b8ce9d3d0db…, golden.json is missing"
    )


def test_an_evaluation_added_later_is_found(found, tmp_path):
    archive = open_archive(str(tmp_path), "v")
    publish(with_other(found, "evaluation.json", None), archive)
    archive.put_new("evaluation.json", found.contents["evaluation.json"])
    with pytest.raises(GateRefused, match="evaluation.json is not listed in release.json"):
        check_archived(archive)


def test_a_file_replaced_together_with_its_line_in_the_list_is_denied_by_the_manifest(found, tmp_path):
    archive = open_archive(str(tmp_path), "v")
    for name, content in with_other(found, "model.onnx", b"another").contents.items():
        archive.put_new(name, content)
    with pytest.raises(GateRefused, match="model.onnx: has SHA-256 ae448ac86c4e…, manifest.json says 6b8ce9d3d0db…"):
        check_archived(archive)


def test_a_list_of_another_version_is_found(archive, tmp_path):
    edit(tmp_path / "archive" / "v" / RELEASE, model_version="other-1")
    with pytest.raises(GateRefused, match="manifest.json is of 2026.11.25-6b8ce9d3, release.json of other-1"):
        check_archived(archive)


def test_a_list_that_is_lost_or_spoilt_is_said(archive, tmp_path):
    path = tmp_path / "archive" / "v" / RELEASE
    edit(path, files={})
    with pytest.raises(GateRefused, match="release.json: \\$.files: 'model_lstm.pth' is a required property"):
        check_archived(archive)
    path.unlink()
    with pytest.raises(GateRefused, match="holds no release.json, so nothing says what the set must be"):
        check_archived(archive)


@pytest.mark.usefixtures("archive")
def test_a_place_without_a_set_is_said(tmp_path):
    for place in (tmp_path / "archive", tmp_path / "none"):
        with pytest.raises(InputError, match="holds no published set; name the folder of one version"):
            check_archived(open_archive(str(place)))
