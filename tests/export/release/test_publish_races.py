"""Several publishers of one version: equal ones all end well, of different ones exactly one has it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from export.errors import GateRefused
from export.release.publish import already_there, check_archived, open_archive, put_set, read_set
from tests.export.release.published import MODELS, ORDER, contents, publish, with_other

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found():
    return read_set(MODELS)


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path)
    request.getfixturevalue("bucket")
    return "s3://market/models"


@pytest.mark.parametrize("moment", ORDER)
def test_an_equal_set_published_between_any_two_puts_counts_as_done(found, place, moment):
    ours, theirs, other = open_archive(place, "v"), open_archive(place, "v"), {}

    def on_file(name):
        if name == moment:
            other.update(publish(found, theirs))

    written = publish(found, ours, on_file)
    assert all(written[name] != other[name] for name in ORDER)  # each file has one writer
    assert check_archived(ours) == found


@pytest.mark.parametrize("name", ["model_lstm.pth", "README.md", "manifest.json"])
def test_a_different_set_that_came_first_is_left_alone(found, place, name):
    archive, different = open_archive(place, "v"), with_other(found, name, b"another")
    there = already_there(found, archive)
    publish(different, open_archive(place, "v"))
    with pytest.raises(GateRefused, match=rf"release.json: is there .* \({name}: ae448ac86c4e… there, "):
        put_set(found, archive, there)
    assert contents(archive) == different.contents


def test_a_different_set_that_came_second_writes_nothing_and_hinders_nobody(found, place):
    archive, different, refused = open_archive(place, "v"), with_other(found, "README.md", None), []

    def on_file(name):
        if name in ORDER[1:]:
            with pytest.raises(GateRefused):
                put_set(different, open_archive(place, "v"), set())
            refused.append(name)

    publish(found, archive, on_file)
    assert len(refused) == len(ORDER) - 1
    assert check_archived(archive) == found


def at_once(work, sets):
    started = threading.Barrier(len(sets), timeout=60)

    def one(found):
        started.wait()
        try:
            return work(found)
        except GateRefused as refusal:
            return str(refusal)

    with ThreadPoolExecutor(len(sets)) as pool:
        return list(pool.map(one, sets))


def test_of_equal_publishers_at_once_each_file_has_one_writer(found, tmp_path):
    ended = at_once(lambda one: publish(one, open_archive(str(tmp_path), "v")), [found] * 8)
    assert {name: sum(one[name] for one in ended) for name in ORDER} == dict.fromkeys(ORDER, 1)
    assert check_archived(open_archive(str(tmp_path), "v")) == found


@pytest.mark.parametrize("turn", range(5))
def test_of_different_publishers_at_once_one_has_the_version_whole(found, tmp_path, turn):
    place = str(tmp_path / str(turn))
    sets = [with_other(found, "README.md", f"{found.model_version} {number}".encode()) for number in range(6)]
    ended = at_once(lambda one: publish(one, open_archive(place, "v")), sets)
    [winner] = [number for number, one in enumerate(ended) if isinstance(one, dict)]
    assert contents(open_archive(place, "v")) == sets[winner].contents
    assert check_archived(open_archive(place, "v")) == sets[winner]
