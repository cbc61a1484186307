"""A file of a local store is there whole or not at all, and of two writers of a new one exactly one wins."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lambda_fn.tables import store
from lambda_fn.tables.errors import StoreRefused
from lambda_fn.tables.s3 import S3Store
from lambda_fn.tables.store import LocalStore, open_store


@pytest.fixture
def local(tmp_path):
    return LocalStore(str(tmp_path / "place"))


def test_what_was_put_is_read_fetched_and_listed(local, tmp_path):
    (tmp_path / "source").write_bytes(b"two")
    local.put("a/b/one", b"one")
    local.put("a/two", tmp_path / "source")
    assert (local.read("a/b/one"), local.read("a/two"), local.read("a/three")) == (b"one", b"two", None)
    assert local.fetch("a/two", tmp_path).read_bytes() == b"two"
    assert local.fetch("a/three", tmp_path) is None
    assert local.children("a/") == ["b", "two"]
    assert (local.children(""), local.children("none/")) == (["a"], [])
    assert (local.files("a/"), local.files("")) == (["two"], [])


def test_nothing_is_made_by_looking(local, tmp_path):
    assert (local.read("x"), local.fetch("x", tmp_path), local.children("")) == (None, None, [])
    assert not (tmp_path / "place").exists()


def test_put_replaces_and_put_new_does_not(local):
    assert local.put_new("key", b"first") is True
    assert local.put_new("key", b"second") is False
    assert local.read("key") == b"first"
    local.put("key", b"third")
    assert local.read("key") == b"third"


def test_of_many_writers_of_a_new_file_one_wins_and_its_content_stays(local):
    writers, started = 16, threading.Barrier(16, timeout=30)

    def write(number):
        started.wait()
        return local.put_new("key", str(number).encode() * 50_000)

    with ThreadPoolExecutor(writers) as pool:
        won = list(pool.map(write, range(writers)))
    assert sum(won) == 1
    assert local.read("key") == str(won.index(True)).encode() * 50_000
    assert os.listdir(local.uri) == ["key"]


def test_a_reader_never_sees_half_a_file(local):
    contents = [letter.encode() * 300_000 for letter in "ab"]
    local.put("key", contents[0])
    ended = threading.Event()

    def write():
        for turn in range(40):
            local.put("key", contents[turn % 2])
        ended.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not ended.is_set():
            assert local.read("key") in contents
            assert local.children("") == ["key"]
        writing.result()


@pytest.mark.parametrize("name", ["put", "put_new"])
def test_a_write_that_fails_leaves_neither_file_nor_remains(local, tmp_path, name):
    with pytest.raises(StoreRefused) as caught:
        getattr(local, name)("folder/key", tmp_path / "no such source")
    assert str(caught.value) == f"{local.uri}/folder/key: can't be written (No such file or directory)"
    assert os.listdir(f"{local.uri}/folder") == []


def test_a_full_disk_is_said_in_one_line_and_leaves_nothing(local, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(StoreRefused, match="key: can't be written \\(No space left on device\\)"):
        local.put("key", b"x")
    assert os.listdir(local.uri) == []


def test_a_place_that_can_not_hold_files_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreRefused, match="file/key: can't be written"):
        LocalStore(str(tmp_path / "file")).put("key", b"x")
    with pytest.raises(StoreRefused, match="file/key: can't be read"):
        LocalStore(str(tmp_path / "file")).read("key")


def test_a_store_is_known_by_its_uri(tmp_path):
    assert isinstance(open_store(str(tmp_path)), LocalStore)
    assert isinstance(open_store("s3://bucket/prefix"), S3Store)
    assert isinstance(open_store("S3://bucket"), S3Store)
    for wrong in ("s3://", "s3:///key", "s3://UPPER/key", "s3://a/key", "s3://white space/key"):
        with pytest.raises(StoreRefused, match="is not the name of a bucket; the form is s3://bucket/key"):
            open_store(wrong)
