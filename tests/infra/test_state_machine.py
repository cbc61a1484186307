"""The deployed state machine runs: what it does on a good evening, on a bad one, and when it is started again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lambda_fn.tables.errors import StoreUnavailable
from tests.infra.step_functions import (
    BUCKET,
    FILE,
    HANDLERS,
    SUBSTITUTIONS,
    Machine,
    WorkerDied,
    for_moto,
    running,
    substituted,
    throttled,
)
from tests.infra.test_events import load

THURSDAY = date(2026, 11, 19)  # B3 is closed on the 20th
EVENING = "2026-11-19T21:30:00Z"  # 18:30 in São Paulo
SERIES, SHARDS = 60, 8
TEXT = FILE.read_text(encoding="utf-8")
STATES = substituted(TEXT, **SUBSTITUTIONS, Topic="topic")["States"]
TASKS = {
    "Plan": STATES["Plan"],
    "Forecast": STATES["Forecast shards"]["ItemProcessor"]["States"]["Forecast"],
    "Finish": STATES["Finish"],
    "Notify": STATES["Notify"],
}


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No metrics among the dots of the tests."""
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A state machine whose bucket holds no prices yet."""
    with running() as found:
        yield found


def write_prices(path: Path, until: date) -> Path:
    """Closes of 60 series on the last 80 weekdays up to that one, in one Parquet file."""
    days = [until - timedelta(days) for days in range(112) if (until - timedelta(days)).weekday() < 5][:80]
    with duckdb.connect(":memory:") as database:
        database.execute(
            f"""COPY (
                SELECT 'MADE' || lpad(CAST(s AS VARCHAR), 2, '0') AS unique_id, CAST(unnest($days) AS DATE) AS ds,
                    40 + s + 5 * sin(s + epoch(ds) / 86400) AS y
                FROM range({SERIES}) AS made(s)
            ) TO '{path}' (FORMAT parquet)""",
            {"days": list(map(str, days))},
        )
    return path


def put_prices(machine: Machine, folder: Path, until: date) -> None:
    """Put such closes where the state machine reads them."""
    path = write_prices(folder / f"{until}.parquet", until)
    machine.s3.upload_file(str(path), BUCKET, "prices/closes.parquet")


@pytest.fixture
def evening(machine: Machine, tmp_path: Path) -> Machine:
    """A state machine with the closes of that evening."""
    put_prices(machine, tmp_path, THURSDAY)
    return machine


def run(machine: Machine, scheduled: str = EVENING) -> dict[str, Any]:
    """One execution to its end, as the schedule starts it; with small shards, so that there are several."""
    return machine.run(scheduled=scheduled, series_per_shard=16)


def signed(machine: Machine) -> list[str]:
    """Keys of the last files of runs, which make them whole."""
    return [key for key in machine.versions("runs/") if key.endswith("/_SUCCESS.json")]


def written_once(machine: Machine) -> bool:
    """Return whether nothing of a run was ever replaced."""
    return set(machine.versions("runs/").values()) == {1}


def without_shard(machine: Machine, number: int) -> None:
    """From now on that shard's closes are gone by the time its worker starts."""

    def lose(event: dict[str, Any]) -> None:
        if event["shard"] == number:
            place = event["place"]
            key = f"work/{place['as_of']}/{place['run']}/shards/{number:05}.parquet"
            machine.s3.delete_object(Bucket=BUCKET, Key=key)

    machine.before["BatchFunction"] = lose


def failing(machine: Machine, function: str, *errors: Exception) -> None:
    """The next calls of a function fail so, one after another; those after them do not."""
    left = list(errors)

    def fail(_: dict[str, Any]) -> None:
        if left:
            raise left.pop(0)

    machine.before[function] = fail


def test_what_moto_cannot_parse_is_the_one_thing_that_is_changed_for_it():
    definition = substituted(TEXT, **SUBSTITUTIONS, Topic="topic")
    changed = for_moto(definition)
    assert changed == definition  # 50.0 is 50
    assert json.dumps(changed) == json.dumps(definition).replace(
        '"ToleratedFailurePercentage": 50', '"ToleratedFailurePercentage": 50.0'
    )


def test_a_good_evening_ends_with_a_whole_run(evening):
    ended = run(evening)
    assert (ended["status"], evening.told()) == ("SUCCEEDED", [])
    output = json.loads(ended["output"])
    assert (output["as_of"], output["series"], output["forecast"], output["refused"]) == ("2026-11-19", 60, 60, {})
    [key] = signed(evening)
    assert json.loads(evening.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == output
    assert [name for name, _ in evening.calls] == ["PlanFunction", *["BatchFunction"] * SHARDS, "FinishFunction"]
    assert sorted(event["shard"] for event in evening.called("BatchFunction")) == list(range(SHARDS))
    assert written_once(evening)
    assert (evening.waits, evening.delays) == ([], [])


def test_the_event_that_sam_sends_to_plan_is_what_the_state_machine_sends(evening):
    event = load("batch_plan")
    evening.run(**event["input"])
    assert evening.called("PlanFunction") == [event]


def test_results_of_workers_go_below_the_prefix_that_expires(evening):
    run(evening)
    assert [key.rpartition("/")[2] for key in evening.versions("work/results/")] == ["manifest.json"]


def test_the_day_is_that_of_the_exchange_where_it_is_another_in_utc(evening):
    assert json.loads(run(evening, "2026-11-20T00:30:00Z")["output"])["as_of"] == "2026-11-19"


def test_a_day_on_which_the_exchange_is_closed_ends_well_with_nothing_to_do(evening):
    ended = run(evening, "2026-11-20T21:30:00Z")
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["state"] == "closed"
    assert [name for name, _ in evening.calls] == ["PlanFunction"]
    assert (evening.versions("runs/"), evening.told()) == ({}, [])


def test_a_run_that_is_there_is_not_done_again(evening):
    run(evening)
    evening.calls.clear()
    ended = run(evening)
    assert (ended["status"], json.loads(ended["output"])["state"]) == ("SUCCEEDED", "done")
    assert [name for name, _ in evening.calls] == ["PlanFunction"]
    assert written_once(evening)


def test_prices_that_do_not_arrive_are_waited_for_four_times_and_then_someone_is_told(machine, tmp_path):
    put_prices(machine, tmp_path, THURSDAY - timedelta(1))
    ended = run(machine)
    assert (ended["status"], ended["error"]) == ("FAILED", "PricesNotArrived")
    assert machine.waits == [1800] * 4
    assert [event["waited"] for event in machine.called("PlanFunction")] == [0, 1, 2, 3, 4]
    [(subject, message)] = machine.told()
    assert subject == "Efemera: the batch run failed (PricesNotArrived)"
    assert message.splitlines()[0] == (
        "PricesNotArrived: 0 of 60 series have a close of 2026-11-19; fewer than half, after four waits of 30 minutes"
    )
    assert machine.versions("runs/") == {}


def test_prices_that_arrive_while_they_are_waited_for_are_forecast_for_their_day(machine, tmp_path):
    put_prices(machine, tmp_path, THURSDAY - timedelta(1))
    machine.on_wait = lambda number: put_prices(machine, tmp_path, THURSDAY) if number == 2 else None
    ended = run(machine)
    assert (ended["status"], machine.waits) == ("SUCCEEDED", [1800, 1800])
    assert json.loads(ended["output"])["as_of"] == "2026-11-19"


def test_a_run_of_a_day_that_was_asked_for_waits_for_nothing(machine, tmp_path):
    put_prices(machine, tmp_path, THURSDAY - timedelta(1))
    ended = machine.run(as_of="2026-11-19")
    assert (ended["status"], machine.waits) == ("SUCCEEDED", [])


def test_a_shard_that_fails_stops_no_other_and_is_all_that_a_second_start_does(evening):
    without_shard(evening, 3)
    ended = run(evening)
    assert (ended["status"], ended["error"]) == ("FAILED", "Incomplete")
    assert len(evening.called("BatchFunction")) == SHARDS, "a shard that is gone is not tried again"
    [(subject, message)] = evening.told()
    assert subject == "Efemera: the batch run failed (Incomplete)"
    assert message.startswith("Incomplete: 1 of 8 shards are not done: 3; start the run again\n")
    assert "evening-1" in message
    assert signed(evening) == []
    before = evening.versions("runs/")
    assert sum("/done/" in key for key in before) == SHARDS - 1

    evening.before.clear()
    assert run(evening)["status"] == "SUCCEEDED"
    made = {key.rpartition("/")[2] for key in evening.versions("runs/").keys() - before.keys()}
    assert made == {"part-00003.parquet", "00003.json", "_SUCCESS.json"}
    assert written_once(evening)


@pytest.mark.parametrize("error", [StoreUnavailable("S3 asks for patience"), throttled()], ids=["s3", "throttled"])
def test_what_passes_is_tried_again_with_growing_delays(evening, error):
    for function in HANDLERS:
        failing(evening, function, error, error, error)
    assert run(evening)["status"] == "SUCCEEDED"
    assert len(evening.delays) == 3 * len(HANDLERS)
    assert written_once(evening)
    assert evening.told() == []


def test_a_worker_that_dies_is_tried_twice_again(evening):
    failing(evening, "FinishFunction", *[WorkerDied("signal: killed")] * 2)
    assert run(evening)["status"] == "SUCCEEDED"
    failing(evening, "PlanFunction", *[WorkerDied("signal: killed")] * 3)
    ended = run(evening)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Runtime.ExitError", "signal: killed")


def test_a_plan_that_is_refused_is_told_in_its_own_words_and_not_tried_again(machine):
    ended = run(machine)
    assert (ended["status"], ended["error"]) == ("FAILED", "InputRefused")
    assert ended["cause"].startswith("s3://market/prices/: no object directly under this prefix")
    assert (len(machine.calls), machine.delays) == (1, [])
    [(_, message)] = machine.told()
    assert message.startswith(f"InputRefused: {ended['cause']}\n")


def test_a_failure_stays_the_one_it_is_where_nobody_can_be_told(machine):
    machine.sns.delete_topic(TopicArn=machine.topic)
    ended = run(machine)
    assert (ended["status"], ended["error"]) == ("FAILED", "InputRefused")


def test_what_step_functions_itself_reports_is_told_too(evening):
    def lose(answer: dict[str, Any]) -> None:
        evening.s3.delete_object(Bucket=answer["items"]["bucket"], Key=answer["items"]["key"])

    evening.after["PlanFunction"] = lose
    ended = run(evening)
    assert (ended["status"], ended["error"]) == ("FAILED", "StepFunctions")
    assert ended["cause"].startswith("States.")
    assert "NoSuchKey" in ended["cause"]
    [(subject, message)] = evening.told()
    assert subject.startswith("Efemera: the batch run failed (States.")
    assert ended["cause"] in message


def test_two_executions_of_one_evening_make_one_run(evening):
    first, second = (evening.start(scheduled=EVENING, series_per_shard=16) for _ in range(2))
    assert [evening.ended(one)["status"] for one in (first, second)] == ["SUCCEEDED", "SUCCEEDED"]
    assert len(signed(evening)) == 1
    assert written_once(evening)


def test_the_input_that_the_page_shows_starts_a_run(evening):
    page = (FILE.parent / "README.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"--input '(.*)'", page)
    assert evening.run(**json.loads(shown))["status"] == "SUCCEEDED"
