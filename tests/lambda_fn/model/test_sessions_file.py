"""The trading days that Lambda reads: whole or refused, by a digest of their own."""

import datetime
import json
import shutil

import pytest

from lambda_fn.model import sessions
from lambda_fn.model.forecaster import Forecaster
from lambda_fn.model.manifest import ModelRefused
from lambda_fn.model.sessions import Sessions, SessionsRefused
from tests.lambda_fn.conftest import MODELS

FRIDAY = datetime.date(2026, 11, 20)


def written(folder, change):
    """A copy of the project's file with something else in it."""
    frozen = json.loads((MODELS / "sessions.json").read_text())
    change(frozen)
    (folder / "sessions.json").write_text(json.dumps(frozen))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frozen: frozen["calendars"]["BVMF"].pop(), "not those its own digest was made of"),
        (lambda frozen: frozen.update(schema_version=2), "schema version 2, this code reads 1"),
        (lambda frozen: frozen.pop("sha256"), "missing required field"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_by_name(tmp_path, change, message):
    written(tmp_path, change)
    with pytest.raises(SessionsRefused, match=message) as caught:
        Sessions(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "sessions.json"))


def test_a_model_beside_such_a_file_does_not_serve(tmp_path):
    for path in MODELS.glob("*.*"):
        shutil.copy(path, tmp_path)
    written(tmp_path, lambda frozen: frozen["calendars"]["XNYS"].reverse())
    with pytest.raises(ModelRefused, match="sessions.json"):
        Forecaster(tmp_path)


def test_when_it_was_written_is_not_part_of_the_digest(tmp_path):
    assert Sessions(written(tmp_path, lambda frozen: frozen.update(created_at="later"))).calendars


def test_a_model_without_the_file_has_the_projects_own(tmp_path):
    assert Sessions(tmp_path).after("BVMF", FRIDAY, 1) == ["2026-11-23"]


def test_without_any_file_there_are_weekdays(tmp_path, monkeypatch):
    monkeypatch.setattr(sessions, "MODELS", tmp_path)
    calendar_free = Sessions(tmp_path)
    assert calendar_free.calendars == ("weekdays",)
    assert calendar_free.after("weekdays", FRIDAY, 3) == ["2026-11-23", "2026-11-24", "2026-11-25"]


def test_the_last_days_of_the_file_are_the_last_known():
    frozen = json.loads((MODELS / "sessions.json").read_text())
    last = frozen["calendars"]["XNYS"][-2:]
    day = datetime.date.fromisoformat(last[0])
    assert Sessions(MODELS).after("XNYS", day, 3) == [last[1], None, None]


def test_weekdays_as_frozen_are_weekdays_as_counted():
    frozen = json.loads((MODELS / "sessions.json").read_text())["calendars"]["weekdays"]
    first = datetime.date.fromisoformat(frozen[0])
    assert Sessions(MODELS).after("weekdays", first, len(frozen) - 1) == frozen[1:]
