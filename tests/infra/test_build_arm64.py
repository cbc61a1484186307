"""The packages for Lambda's Graviton processors: within the same limits, and made for that machine throughout."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import weight
from infra.packages import PACKAGES
from tests.infra.conftest import OFFLINE, ROOT

pytestmark = pytest.mark.docker  # pip and .venv-sam are enough; what it compares with is built for the others

FUNCTIONS = {"api": "ApiFunction", "batch": "BatchFunction", "deploy": "HookFunction"}
X86_64, AARCH64 = 62, 183  # e_machine of an ELF file's header


@pytest.fixture(scope="module")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A kind's package for arm64, built once."""
    folder = tmp_path_factory.mktemp("arm64")

    def package(kind: str) -> Path:
        out = folder / kind
        if not out.exists():
            build = subprocess.run(
                ["make", "-s", f"build-{FUNCTIONS[kind]}", f"ARTIFACTS_DIR={out}", "ARCHITECTURE=arm64"],
                cwd=ROOT, env=OFFLINE, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert build.returncode == 0, build.stderr
        return out

    return package


def machines(package: Path) -> set[int]:
    """List the machines (e_machine) that the binary files of a package are for."""
    machine_codes = set()
    for path in weight.files(package):
        with path.open("rb") as file:
            head = file.read(20)
        if head.startswith(b"\x7fELF"):
            machine_codes.add(struct.unpack_from("<H", head, 18)[0])
    return machine_codes


def versions(package: Path) -> dict[str, str]:
    """Read the versions in a package's bill of materials."""
    bill = json.loads((package / "sbom.cdx.json").read_text(encoding="utf-8"))
    return {one["name"]: one["version"] for one in bill["components"]}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_every_binary_is_for_the_processor_that_was_asked_for(built, arm64, kind):
    own = {AARCH64} if kind != "deploy" else set()  # boto3 is Python throughout
    assert machines(arm64(kind)) == own
    assert machines(built / FUNCTIONS[kind]) == ({X86_64} if own else set())


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_both_processors_get_the_same_versions_within_the_same_limits(built, arm64, kind):
    assert versions(arm64(kind)) == versions(built / FUNCTIONS[kind])
    assert weight.size(arm64(kind)) <= PACKAGES[kind].largest
    assert weight.zipped(arm64(kind)) <= PACKAGES[kind].largest_zipped
