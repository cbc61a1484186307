"""The built package in Lambda's image, under AWS's runtime emulator, against the least handler with the same wheels.

The emulator starts the runtime when the first invocation comes: its seconds are a cold start's, without Lambda's own.
It adds as much to every invocation of either.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from infra import build_function
from tests.bench.events import event_of
from tests.bench.measure import Times, row
from tests.bench.package import INFERENCE
from tests.bench.start import ROOT

IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"
EMULATOR = ".venv-sam/lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64"  # of the SAM CLI
INVOCATIONS = "/2015-03-31/functions/function/invocations"
BARE_HANDLER = Path(__file__).parent / "peers" / "bare_lambda.py"
STARTS, WARM = 9, 200  # of each: containers, and invocations of each that are timed
LONGEST = 30  # seconds for a container to come up


class NotHere(Exception):
    """Reason that nothing can be measured on this machine."""


def rows(models: Path, package: Path, said: str, scratch: Path) -> Iterator[tuple[str, ...]]:
    """Containers in turn; one row that says why not, where there is no engine, image or emulator."""
    what = "in Lambda's image: first invocation"
    try:
        emulator = _emulator()
    except NotHere as reason:
        yield what, "not measured", str(reason), "", "", ""
        return
    bare = _bare(models, package, scratch / "bare")
    tasks = {"package": (package, "lambda_fn.api.handler.handler"), "bare": (bare, "bare_lambda.handler")}
    first: Times = {name: [] for name in tasks}
    warm: Times = {name: [] for name in tasks}
    for number in range(-1, STARTS):  # the first round of all fills the page cache
        for name, (task, handler) in tasks.items():
            with _container(emulator, task, handler) as port:
                seconds = _invoke(port)
            if number >= 0:
                first[name].append(seconds[0])
                warm[name].append(statistics.median(seconds[1:]))
    bytecode = "no bytecode in either" if "bytecode: none" in said else "bytecode in both"
    words = f"a bare handler, the same numpy and onnxruntime, {bytecode}"
    yield row(what, first, "package", "bare", words)
    yield row("likewise: warm invocation, p50", warm, "package", "bare", "likewise")


def _emulator() -> Path:
    """AWS's runtime emulator, with the engine started and the image there. Raises `NotHere`."""
    base = os.environ.get("EFEMERA_LAMBDA_BASE")
    if not base:
        raise NotHere("EFEMERA_LAMBDA_BASE is not set")
    with contextlib.suppress(OSError):  # then the engine says what is missing
        subprocess.run([Path(base) / "up"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    for command, reason in (
        (["info"], "docker info fails"),
        (["image", "inspect", IMAGE], "Lambda's image is missing"),
    ):
        if (
            not shutil.which("docker")
            or subprocess.run(["docker", *command], capture_output=True, check=False).returncode
        ):
            raise NotHere(reason)
    found = next(ROOT.glob(EMULATOR), None)
    if found is None:
        raise NotHere("there is no .venv-sam: `make check-template` makes it")
    return found


def _bare(models: Path, package: Path, task: Path) -> Path:
    """A task folder that holds the bare handler, the model, and numpy and onnxruntime as the package has them."""
    for name in INFERENCE:
        shutil.copytree(package / name, task / name)
    shutil.copyfile(models / "model.onnx", task / "model.onnx")
    shutil.copyfile(BARE_HANDLER, task / BARE_HANDLER.name)
    build_function._level(task)
    return task


@contextlib.contextmanager
def _container(emulator: Path, task: Path, handler: str) -> Iterator[int]:
    """The port of a container that serves `handler` from `task`; it is removed whatever happens."""
    task.chmod(0o755)  # what is in it may be read by all already, whatever this machine's umask
    command = [
        *("create", "--read-only", "--user=65534:65534", "--memory=512m", "--publish=127.0.0.1:0:8080"),
        *("--tmpfs=/tmp", f"--volume={task}:/var/task:ro", f"--volume={emulator}:/usr/local/bin/aws-lambda-rie:ro"),
        *("--env=ORT_DISABLE_TELEMETRY=1", f"--env=AWS_LAMBDA_FUNCTION_HANDLER={handler}"),
        *("--entrypoint=/lambda-entrypoint.sh", IMAGE, handler),
    ]
    container = _docker(*command)
    try:
        _docker("start", container)
        yield int(_docker("port", container, "8080/tcp").splitlines()[0].rpartition(":")[2])
    finally:
        _docker("rm", "--force", container)


def _invoke(port: int) -> list[float]:
    """Seconds of a first invocation, and of the warm ones after it, over one connection."""
    event = json.dumps(event_of("predict")).encode()
    connection = _connected(port)
    seconds = []
    try:
        for _ in range(1 + WARM):
            begun = time.perf_counter()
            connection.request("POST", INVOCATIONS, event)
            answer = connection.getresponse().read()
            seconds.append(time.perf_counter() - begun)
            if json.loads(answer).get("statusCode") != 200:
                raise SystemExit(f"the container answered {answer[:300]!r}")
    finally:
        connection.close()
    return seconds


def _connected(port: int) -> http.client.HTTPConnection:
    """A connection to the emulator, which has answered on it: 404, for a path of no meaning, which starts nothing."""
    limit = time.monotonic() + LONGEST
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
            return connection
        except (OSError, http.client.HTTPException):
            connection.close()
            if time.monotonic() > limit:
                raise
            time.sleep(0.01)


def _docker(*command: str) -> str:
    """Run docker and return what it prints."""
    return subprocess.run(["docker", *command], check=True, capture_output=True, text=True).stdout.strip()
