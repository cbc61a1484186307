"""Set a version, date its changelog entry, commit and tag: `make release VERSION=x.y.z`. Pushes nothing."""

from __future__ import annotations

import datetime
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from lambda_fn import __version__

ROOT = Path(__file__).resolve().parent.parent
CODE, CHANGELOG = ROOT / "lambda_fn" / "__init__.py", ROOT / "CHANGELOG.md"
UNRELEASED = "## Unreleased\n"


def main(version: str) -> None:
    """Release `version`; exits 2, with nothing changed, where that can't be."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        _stop(f"VERSION={version}: a version is three numbers, as in make release VERSION=1.2.3")
    if _numbers(version) < _numbers(__version__):
        _stop(f"VERSION={version}: it is {__version__} already")
    if (branch := _git("branch", "--show-current")) != "main":
        _stop(f"releases are made on main, and this is {branch or 'no branch'}")
    if _git("status", "--porcelain"):
        _stop("there are changes that are not committed; `git status` lists them")
    if _git("tag", "--list", f"v{version}"):
        _stop(f"v{version} is there already")
    before, heading, rest = CHANGELOG.read_text(encoding="utf-8").partition(UNRELEASED)
    if not heading or not re.match(r"\s*- ", rest):
        _stop(f"CHANGELOG.md: nothing stands under {UNRELEASED.strip()!r}")

    dated = f"{UNRELEASED}\n## {version} ({datetime.date.today()})\n"
    CHANGELOG.write_text(before + dated + rest, encoding="utf-8")
    code = CODE.read_text(encoding="utf-8")
    CODE.write_text(code.replace(f'__version__ = "{__version__}"', f'__version__ = "{version}"'), encoding="utf-8")
    bytecode = Path(importlib.util.cache_from_source(str(CODE)))
    bytecode.unlink(missing_ok=True)  # of the old version: its second and size can be the new one's, and Python take it
    subprocess.run([sys.executable, "-m", "infra.openapi"], cwd=ROOT, check=True)  # the document names the version
    _git("commit", "--quiet", "--all", "--message", f"Version {version}")
    _git("tag", "--annotate", f"v{version}", "--message", f"Version {version}")
    print(f"tagged v{version}; `git push --follow-tags` publishes it, and its pipeline deploys to prod")


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _stop(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
