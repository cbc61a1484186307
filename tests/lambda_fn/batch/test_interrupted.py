"""Ctrl-C, a kill, a worker that dies: what is done stays done, nobody is left behind, and the same command goes on.

A worker is held at a shard by a named pipe where its mark would be: it waits there to read until someone writes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from export.errors import InputError
from export.local.workers import Workers
from lambda_fn.batch import finish, plan
from lambda_fn.batch.records import Settings
from lambda_fn.tables.s3 import client as s3_client
from tests.lambda_fn.batch.conftest import MODELS
from tests.lambda_fn.batch.market import DAY, table
from tests.lambda_fn.batch.runs import asked, contents, run, told

pytestmark = pytest.mark.slow

HELD = 3  # the shard at which a worker waits; those before it are done
BY_DEFAULT = Settings(prices="", out="").series_per_shard


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """As many series as the command makes eight shards of."""
    path = tmp_path_factory.mktemp("market") / "prices.parquet"
    table(1100, 60).to_parquet(path, index=False)
    return path


@pytest.fixture(scope="module")
def undisturbed(market, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run(market, folder, series_per_shard=BY_DEFAULT).plan.shard_count == 8
    return contents(folder)


@pytest.fixture
def held(market, tmp_path):
    """Plan a run in which a worker will wait at a shard; return the pipe it waits at."""
    as_the_command = {"series_per_shard": BY_DEFAULT, "work": str(tmp_path / "work")}
    answer = plan.plan(asked(market, tmp_path / "out", **as_the_command))
    pipe = Path(answer.place.out) / answer.place.done_key(HELD)
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    return answer.place, pipe


def command(market, out, *more, processes=1):
    """Start the command as another process, with the environment of this one."""
    arguments = ("batch", "-p", market, "-o", out, "--as-of", DAY, "--processes", processes, *more)
    return subprocess.Popen(
        [sys.executable, "-m", "export", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=MODELS.parent,
        start_new_session=True,
    )


def until_it_waits(process, pipe, after=HELD - 1):
    """Wait until this shard is done and a worker stands at the pipe; the writing end of it."""
    while not (pipe.parent / f"{after:05}.json").exists():
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(process.communicate())
    return os.open(pipe, os.O_WRONLY)


def done(pipe):
    return {path.name: path.read_bytes() for path in pipe.parent.iterdir() if path != pipe}


def test_ctrl_c_says_one_line_keeps_what_is_done_and_the_same_command_goes_on(held, market, undisturbed):
    place, pipe = held
    with command(market, place.out, processes=2) as process:
        end = until_it_waits(process, pipe, after=7)  # the other worker has nothing more to do
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it, to the workers too
        os.close(end)  # the worker ends its shard
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout == ""
    assert stderr == "interrupted; the shards that are done stay done: run the same command again to go on\n"
    before = done(pipe)
    assert len(before) == 7
    assert not (Path(place.out) / place.folder / "_SUCCESS.json").exists()
    pipe.unlink()
    with command(market, place.out) as again:
        stdout, stderr = again.communicate(timeout=60)
    assert (again.returncode, stderr) == (0, "")
    assert stdout.startswith(f"1,100 of 1,100 series forecast as of {DAY}\n")
    assert {name: done(pipe)[name] for name in before} == before
    assert contents(place.out) == undisturbed


def test_killed_outright_its_workers_end_too_and_the_same_command_goes_on(held, market, undisturbed):
    place, pipe = held
    with command(market, place.out) as process:
        end = until_it_waits(process, pipe)
        process.kill()
        process.communicate(timeout=60)  # to the end of stderr, which every worker holds open as long as it lives
    os.close(end)
    assert process.returncode == -signal.SIGKILL
    before = done(pipe)
    assert sorted(before) == [f"{number:05}.json" for number in range(HELD)]
    pipe.unlink()
    with command(market, place.out, "--json") as again:
        again.communicate(timeout=60)
    assert again.returncode == 0
    assert {name: done(pipe)[name] for name in before} == before
    assert contents(place.out) == undisturbed


def test_a_worker_that_the_system_ends_is_said_and_the_shards_that_are_done_stay(held, undisturbed):
    place, pipe = held
    shards = list(range(8))

    def kill_at_the_held_one(ended=[]):  # noqa: B006 - the calls so far
        ended.append(1)
        if len(ended) == HELD:
            end = os.open(pipe, os.O_WRONLY)  # it stands there now
            [worker] = workers._pool._processes
            os.kill(worker, signal.SIGKILL)
            os.close(end)

    said = "a worker was ended by the system, .*; run again with fewer --processes"
    with Workers(MODELS, 1) as workers, pytest.raises(InputError, match=said):
        workers.forecast(place, shards, kill_at_the_held_one)
    assert sorted(done(pipe)) == [f"{number:05}.json" for number in range(HELD)]
    pipe.unlink()
    with Workers(MODELS, 2) as workers:
        workers.forecast(place, shards, lambda: None)
    finish.finish(place)
    assert contents(place.out) == undisturbed


def test_the_command_runs_from_and_to_s3(market, undisturbed, monkeypatch):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        s3_client.cache_clear()
        client = s3_client()
        client.create_bucket(Bucket="market")
        client.upload_file(str(market), "market", "prices/prices.parquet")
        with command("s3://market/prices/", "s3://market/forecasts") as process:
            stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr) == (0, "")
        assert "written: s3://market/forecasts/runs/" in stdout
        listed = client.list_objects_v2(Bucket="market", Prefix="forecasts/")["Contents"]
        found = {entry["Key"].removeprefix("forecasts/"): entry["Key"] for entry in listed}
        read = {
            key: told(client.get_object(Bucket="market", Key=whole)["Body"].read(), key) for key, whole in found.items()
        }
        assert read == undisturbed
        with command("s3://market/none/", "s3://market/forecasts") as process:
            stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout) == (2, "")
        assert stderr == (
            "efemera: s3://market/none/: no object directly under this prefix ends in .csv, .csv.gz or .parquet\n"
        )
        client.close()
    finally:
        server.stop()
        s3_client.cache_clear()
