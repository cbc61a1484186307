"""A published set: every file once, byte for byte, whole when its manifest is there, and never changed again."""

import os
import signal
import subprocess
import sys

import pytest
from botocore.exceptions import EndpointConnectionError

from export.errors import GateRefused, InputError
from export.release.publish import LISTED, MANIFEST, RELEASE, check_archived, open_archive, read_set
from lambda_fn.tables import store
from tests.export.release.published import MODELS, ORDER, Calls, contents, publish, with_other


@pytest.fixture(scope="module")
def found():
    return read_set(MODELS)


@pytest.fixture
def calls(bucket, monkeypatch):  # noqa: ARG001 - moto must be there
    return Calls(monkeypatch)


@pytest.fixture(params=["folder", "s3"])
def archive(request, tmp_path):
    if request.param == "folder":
        return open_archive(str(tmp_path / "archive"), "v1")
    request.getfixturevalue("bucket")
    return open_archive("s3://market/models/", "v1")


@pytest.mark.slow
def test_every_file_is_put_once_and_is_the_one_of_the_folder(found, archive):
    assert publish(found, archive) == dict.fromkeys(ORDER, True)
    there = contents(archive)
    assert there.pop(RELEASE) == found.contents[RELEASE]
    assert there == {name: (MODELS / name).read_bytes() for name in LISTED}
    assert check_archived(archive) == found


@pytest.mark.slow
def test_the_list_goes_first_and_the_manifest_last(found, archive):
    heard = []

    def on_file(name):
        assert archive.files("") == sorted(heard)
        heard.append(name)

    publish(found, archive, on_file)
    assert tuple(heard) == ORDER
    assert (heard[0], heard[-1]) == (RELEASE, MANIFEST)


def test_publishing_again_writes_nothing(found, archive):
    publish(found, archive)
    assert publish(found, archive) == dict.fromkeys(ORDER, False)


def test_publishing_again_asks_s3_for_no_put(found, calls):
    archive = open_archive("s3://market", "v1")
    publish(found, archive)
    assert len(calls.puts()) == len(ORDER)
    calls.made.clear()
    publish(found, archive)
    assert {operation for operation, _ in calls.made} == {"ListObjectsV2", "GetObject"}


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["the request", "the answer"])
def test_an_upload_that_ended_at_any_put_is_completed_by_the_next(found, calls, lost):
    """A lost answer is the worse one: the object is there, and the caller has not heard of it."""
    for number in range(len(ORDER)):
        archive = open_archive("s3://market/models", f"{number}")

        def fail(operation, parameters, call, name=ORDER[number]):
            if operation != "PutObject" or not parameters["Key"].endswith(f"/{name}"):
                return call()
            if lost == "the answer":
                call()
            raise EndpointConnectionError(endpoint_url="https://s3")

        calls.meet = fail
        with pytest.raises(InputError, match=f"{number}/{ORDER[number]}: can't be written \\(Could not connect"):
            publish(found, archive)
        calls.meet = lambda _operation, _parameters, call: call()
        done = number + (lost == "the answer")
        assert archive.files("") == sorted(ORDER[:done])
        if 0 < done < len(ORDER):
            with pytest.raises(GateRefused, match="manifest.json is missing; publishing the set again completes it"):
                check_archived(archive)
        assert list(publish(found, archive).values()) == [False] * done + [True] * (len(ORDER) - done)
        assert check_archived(archive) == found


@pytest.mark.slow
def test_a_copy_into_a_folder_that_ended_at_any_file_is_completed_by_the_next(found, tmp_path, monkeypatch):
    for number in range(len(ORDER)):
        archive, linked = open_archive(str(tmp_path), f"{number}"), iter(range(len(ORDER)))

        def link(source, target, real=os.link, linked=linked, number=number):
            if next(linked) == number:
                raise KeyboardInterrupt
            real(source, target)

        with monkeypatch.context() as patched:
            patched.setattr(store.os, "link", link)
            with pytest.raises(KeyboardInterrupt):
                publish(found, archive)
        assert sorted(os.listdir(archive.uri)) == archive.files("") == sorted(ORDER[:number])
        publish(found, archive)
        assert check_archived(archive) == found


@pytest.mark.slow
def test_a_process_killed_between_write_and_name_leaves_nothing_in_the_way(found, tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from lambda_fn.tables import store
from tests.export.release.published import publish, read_set
real, names = os.link, iter(range(4))
store.os.link = lambda *paths: real(*paths) if next(names) < 3 else os.kill(os.getpid(), signal.SIGKILL)
publish(read_set(Path({str(MODELS)!r})), open_archive({str(tmp_path)!r}, "v1"))
""".replace("publish, read_set", "publish\nfrom export.release.publish import open_archive, read_set")
    killed = subprocess.run([sys.executable, "-c", code], cwd=MODELS.parent, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    archive = open_archive(str(tmp_path), "v1")
    assert archive.files("") == sorted(ORDER[:3])
    assert list(publish(found, archive).values()) == [False] * 3 + [True] * (len(ORDER) - 3)
    assert check_archived(archive) == found


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTED)
def test_another_content_under_the_same_version_is_refused_and_the_old_one_stays(found, archive, name):
    publish(found, archive)
    before = contents(archive)
    with pytest.raises(GateRefused) as caught:
        publish(with_other(found, name, b"another"), archive)
    assert f"{archive.uri}/{name}: is there with SHA-256 " in str(caught.value)
    assert "…, this set has ae448ac86c4e…; a published version never changes" in str(caught.value)
    assert contents(archive) == before


@pytest.mark.parametrize("name", ["evaluation.json", "README.md"])
def test_a_file_more_or_less_is_another_set(found, archive, name):
    fewer = with_other(found, name, None)
    publish(fewer, archive)
    with pytest.raises(
        GateRefused, match=rf"release.json: is there with .* \({name}: none there, [0-9a-f]{{12}}… here\)"
    ):
        publish(found, archive)
    assert contents(archive) == fewer.contents


def test_a_set_with_less_than_what_is_there_is_refused(found, archive):
    publish(found, archive)
    with pytest.raises(GateRefused, match="README.md: is there, and the set to publish has no such file"):
        publish(with_other(found, "README.md", None), archive)
    assert contents(archive) == found.contents


def test_a_half_published_set_can_not_be_gone_on_with_by_another(found, archive):
    archive.put_new(RELEASE, found.contents[RELEASE])
    with pytest.raises(GateRefused, match=r"\(model.onnx: 6b8ce9d3d0db… there, ae448ac86c4e… here\)"):
        publish(with_other(found, "model.onnx", b"another"), archive)
    assert archive.files("") == [RELEASE]


def test_a_foreign_file_in_place_of_the_list_is_refused(found, archive):
    archive.put_new(RELEASE, b"[]")
    with pytest.raises(GateRefused, match="release.json: is there with SHA-256 4f53cda18c2b…, this set has"):
        publish(found, archive)


def test_a_folder_where_a_file_must_go_is_said(found, tmp_path):
    (tmp_path / "v1" / RELEASE).mkdir(parents=True)
    with pytest.raises(InputError, match="v1/release.json: can't be read \\(Is a directory\\)"):
        publish(found, open_archive(str(tmp_path), "v1"))


def test_versions_stand_side_by_side_and_other_files_are_nobodys_business(found, bucket):
    bucket.put_object(Bucket="market", Key="models/v1/notes/why.txt", Body=b"x")
    bucket.put_object(Bucket="market", Key="models/v1/", Body=b"")  # what the console calls a folder
    bucket.put_object(Bucket="market", Key="models/v10/model.onnx", Body=b"x")
    first, second = (open_archive("s3://market/models", version) for version in ("v1", "v2"))
    publish(found, first)
    publish(with_other(found, "README.md", None), second)
    assert check_archived(first) == found
    assert "README.md" not in second.files("")
    assert {found["Key"].split("/")[1] for found in bucket.list_objects_v2(Bucket="market")["Contents"]} == {
        *("v1", "v2", "v10")
    }
