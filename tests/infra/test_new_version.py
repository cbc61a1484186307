"""`make release`, in a clone of its own: what it refuses, and what it leaves."""

from __future__ import annotations

import datetime
import os
import subprocess
from pathlib import Path

import pytest

from lambda_fn import __version__
from tests.infra.conftest import ROOT

NEXT = "{}.{}.0".format(*(int(number) + 1 for number in __version__.split(".")[:2]))
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GIT_", "MAKE"))}
ENVIRONMENT |= {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
ENVIRONMENT |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of its own with this folder's files, on main, and the environment of this one."""
    folder = tmp_path / "clone"
    folder.mkdir()
    parts = ("Makefile", ".gitignore", "infra", "lambda_fn", "models")
    listed = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *parts)
    for name in listed.stdout.rstrip("\0").split("\0"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    changelog = f"# Changelog\n\n## Unreleased\n\n- One thing.\n\n## {__version__} (2026-01-01)\n\n- Another.\n"
    (folder / "CHANGELOG.md").write_text(changelog)
    for command in ("init --quiet -b main", "add --all", "commit --quiet -m first"):
        run(folder, "git", *command.split())
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / ".git" / "info" / "exclude").write_text(".venv\n")
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert command[0] == "make" or done.returncode == 0, done.stderr
    return done


def release(folder: Path, version: str) -> subprocess.CompletedProcess[str]:
    """`make release`, without a look at how old the environment is."""
    return run(folder, "make", "--old-file", ".venv/.ready", "release", f"VERSION={version}")


def test_a_release_is_a_commit_with_its_version_and_date_everywhere_and_a_tag(clone):
    done = release(clone, NEXT)
    assert done.returncode == 0, done.stderr
    assert run(clone, "git", "status", "--porcelain").stdout == ""
    assert run(clone, "git", "cat-file", "-t", f"v{NEXT}").stdout == "tag\n"
    assert run(clone, "git", "log", "-1", "--format=%s %D").stdout == f"Version {NEXT} HEAD -> main, tag: v{NEXT}\n"
    code = (clone / "lambda_fn" / "__init__.py").read_text(encoding="utf-8")
    assert code == (ROOT / "lambda_fn" / "__init__.py").read_text(encoding="utf-8").replace(__version__, NEXT)
    assert f'"version": "{NEXT}"' in (clone / "lambda_fn" / "api" / "openapi.json").read_text(encoding="utf-8")
    changelog = (clone / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## Unreleased\n\n## {NEXT} ({datetime.date.today()})\n\n- One thing.\n" in changelog

    again = release(clone, NEXT)  # nothing has been written under "Unreleased" since
    assert again.returncode == 2
    assert f"v{NEXT} is there already" in again.stderr


@pytest.mark.parametrize(
    ("version", "command", "why"),
    [
        ("1.2", "true", "VERSION=1.2: a version is three numbers"),
        ("", "true", "VERSION=: a version is three numbers"),
        ("0.0.1", "true", f"VERSION=0.0.1: it is {__version__} already"),
        (NEXT, "git switch -c aside", "releases are made on main, and this is aside"),
        (NEXT, "touch left-behind", "changes that are not committed"),
        (NEXT, f"git tag v{NEXT}", f"v{NEXT} is there already"),
        (NEXT, "sed -i '/One thing/d' CHANGELOG.md && git commit -qam -", "nothing stands under '## Unreleased'"),
    ],
)
def test_what_cannot_be_released_is_said_and_nothing_is_changed(clone, version, command, why):
    run(clone, "sh", "-c", command)
    before = run(clone, "git", "status", "--porcelain").stdout
    done = release(clone, version)
    assert done.returncode == 2
    assert why in done.stderr
    assert run(clone, "git", "status", "--porcelain").stdout == before
