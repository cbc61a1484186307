"""A built function in Lambda's image under AWS's runtime emulator: its own files alone, read-only, without a network.

It runs as nobody, in the memory that the template gives it. No port can be published without a network, so events
travel by `docker exec`, to a client in the image's own Python.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.container import EMULATOR, IMAGE, INVOCATIONS
from tests.infra.conftest import ROOT

# Sends standard input's lines, each an event, and prints the answers; the emulator needs a moment before it listens.
CLIENT = f"""
import http.client, sys, time
limit = time.monotonic() + 60
for line in sys.stdin:
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=120)
        try:
            connection.connect()
            break
        except ConnectionRefusedError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.01)
    connection.request("POST", "{INVOCATIONS}", line.strip().encode())
    print(connection.getresponse().read().decode(), flush=True)
    connection.close()
"""
# Whatever the machine has is not handed over; a client of AWS finds a region and keys that open nothing.
KEYS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}


class Emulated:
    """One container with one function."""

    def __init__(self, container: str) -> None:
        self._container = container

    def ask(self, *events: Any) -> list[Any]:
        """Return the function's answer to each event; a function that failed says so in an answer too."""
        lines = "".join(json.dumps(event) + "\n" for event in events)
        answers = _docker("exec", "--interactive", self._container, "python3", "-I", "-c", CLIENT, said=lines)
        return [json.loads(line) for line in answers.splitlines()]

    def log(self) -> str:
        """Everything that the emulator and the function have written."""
        command = ["docker", "logs", self._container]
        return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def run(self, script: str) -> str:
        """Run a Python script beside the function and return what it prints."""
        return _docker("exec", self._container, "python3", "-I", "-c", script)


@contextmanager
def emulated(
    built: Path,
    template: dict[str, Any],
    name: str,
    mounts: dict[Path, str] | None = None,
    variables: dict[str, str] | None = None,
) -> Iterator[Emulated]:
    """A function of the translated template, from its built package; it is removed whatever happens.

    `mounts` are laid over it, and `variables` added to those that the template gives as plain text.
    """
    function = template["Resources"][name]["Properties"]
    package = built / name
    package.chmod(0o755)
    own = {"AWS_LAMBDA_FUNCTION_HANDLER": function["Handler"], **KEYS, **(variables or {})}
    given = {**function["Environment"]["Variables"], **own}
    environment = {key: value.get("Fn::Sub") if isinstance(value, dict) else value for key, value in given.items()}
    [emulator] = ROOT.glob(EMULATOR)
    files = {package: "/var/task", emulator: "/usr/local/bin/aws-lambda-rie", **(mounts or {})}
    command = [
        *("create", "--read-only", "--tmpfs=/tmp", "--network=none", "--user=65534:65534"),
        f"--memory={function['MemorySize']}m",
        *(f"--volume={here}:{there}:ro" for here, there in files.items()),
        *(f"--env={key}={value}" for key, value in environment.items() if isinstance(value, str)),
        *("--entrypoint=/lambda-entrypoint.sh", IMAGE, function["Handler"]),
    ]
    container = _docker(*command).strip()
    try:
        _docker("start", container)
        yield Emulated(container)
    finally:
        _docker("rm", "--force", container)


def _docker(*command: str, said: str = "") -> str:
    """Run docker and return what it prints."""
    run = subprocess.run(["docker", *command], check=False, capture_output=True, text=True, input=said, timeout=300)
    assert run.returncode == 0, run.stderr
    return run.stdout
