"""checkov over the translated template: each check that is skipped has a reason, and the gate can fail."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.conftest import OFFLINE, ROOT

CONFIG = ROOT / "infra" / "checkov.yaml"
SKIPPED = re.compile(r"^  - (CKV2?_\w+)(?: # (\S.{20,}))?$", re.M)
# Put into every Python that starts: a try at the network is an error that nothing catches.
NO_NETWORK = """
import os, sys

def ask_nobody(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        os.write(2, f"tried {event} {arguments}".encode())
        os._exit(99)

sys.addaudithook(ask_nobody)
"""


def checkov(template: dict[str, Any], folder: Path, *options: str | Path, **more: str) -> subprocess.CompletedProcess:
    path = folder / "translated.json"
    path.write_text(json.dumps(template, indent=1), encoding="utf-8")
    command = [ROOT / ".venv-audit" / "bin" / "checkov", *options, "--file", path]
    return subprocess.run(command, env={**OFFLINE, **more}, cwd=folder, capture_output=True, text=True, check=False)


def found(done: subprocess.CompletedProcess) -> set[str]:
    """The checks that failed."""
    return set(re.findall(r"^Check: (CKV2?_\w+)", done.stdout, re.M))


def test_every_check_that_is_skipped_has_its_reason():
    text = CONFIG.read_text(encoding="utf-8")
    skipped = yaml.safe_load(text)["skip-check"]
    assert [name for name, reason in SKIPPED.findall(text) if reason] == skipped
    assert sorted(set(skipped)) == sorted(skipped)


@pytest.mark.sam
def test_it_finds_nothing_and_asks_nobody(translated, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    done = checkov(translated, tmp_path, "--config-file", CONFIG, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed checks: 0" in done.stdout


@pytest.mark.sam
def test_a_bucket_that_may_be_made_public_stops_it(translated, tmp_path):
    template = copy.deepcopy(translated)
    del template["Resources"]["Bucket"]["Properties"]["PublicAccessBlockConfiguration"]
    done = checkov(template, tmp_path, "--config-file", CONFIG)
    assert done.returncode == 1
    assert found(done) == {"CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_55", "CKV_AWS_56"}


@pytest.mark.sam
def test_no_skip_is_left_that_nothing_needs(translated, tmp_path):
    options = ("--framework", "cloudformation", "--skip-download", "--quiet", "--compact")
    assert found(checkov(translated, tmp_path, *options)) == set(
        yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["skip-check"]
    )
