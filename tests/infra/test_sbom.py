"""The list of a package's parts (SBOM): valid CycloneDX, and exactly what is in the package."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import MODELS, ROOT, SAM_BIN

pytestmark = pytest.mark.docker

FUNCTIONS = {"ApiFunction": "api", "BatchFunction": "batch", "HookFunction": "deploy"}
JUDGE = """
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
schema = JsonStrictValidator(SchemaVersion.V1_6)
faults = [schema.validate_str(json.dumps(bill)) for bill in json.load(sys.stdin)]
print(json.dumps([fault and fault.data.message for fault in faults]))
"""


@pytest.fixture(params=FUNCTIONS)
def package(built: Path, request: pytest.FixtureRequest) -> Path:
    """One built package of each kind."""
    return built / request.param


@pytest.fixture
def bill(package: Path) -> dict[str, Any]:
    """Its list of parts."""
    return json.loads((package / "sbom.cdx.json").read_text(encoding="utf-8"))


def judged(*bills: dict[str, Any]) -> list[str | None]:
    """Validate each bill by CycloneDX's own schema: its fault, or None."""
    command = [SAM_BIN / "python", "-W", "error", "-c", JUDGE]
    run = subprocess.run(command, input=json.dumps(bills), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def places(component: dict[str, Any]) -> set[str]:
    """List the entries of the package that are a part's."""
    return {one["location"] for one in component["evidence"]["occurrences"]}


def test_every_list_is_cyclonedx(built):
    bills = [json.loads((built / name / "sbom.cdx.json").read_text(encoding="utf-8")) for name in FUNCTIONS]
    assert {(bill["bomFormat"], bill["specVersion"]) for bill in bills} == {("CycloneDX", "1.6")}
    assert judged(*bills) == [None] * len(FUNCTIONS)


def test_every_installed_distribution_is_in_the_list_and_nothing_else(package, bill):
    installed = set()
    for path in package.glob("*.dist-info/METADATA"):
        metadata = HeaderParser().parsestr(path.read_text(encoding="utf-8"))
        name = re.sub(r"[-_.]+", "-", metadata["Name"]).lower()
        installed.add((name, metadata["Version"], f"pkg:pypi/{name}@{metadata['Version']}"))
    libraries = [one for one in bill["components"] if one["type"] == "library"]
    assert {(one["name"], one["version"], one["purl"]) for one in libraries} == installed
    assert len(libraries) == len(installed)
    assert all(one["licenses"] for one in libraries)


def test_every_entry_of_the_package_belongs_to_one_part(package, bill):
    parts = [bill["metadata"]["component"], *(one for one in bill["components"] if one["type"] == "library")]
    owned = [place for part in parts for place in places(part)]
    assert len(owned) == len({*owned})
    entries = {path.name for path in package.iterdir()} - {"__pycache__", "sbom.cdx.json"}
    assert {*owned} == entries


def test_the_model_is_a_part_where_it_can_be_run(package, bill):
    models = [one for one in bill["components"] if one["type"] == "machine-learning-model"]
    if not (package / "models" / "model.onnx").exists():
        assert models == []
        return
    [model] = models
    [place] = places(model)
    digest = hashlib.sha256((package / place).read_bytes()).hexdigest()
    assert model["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert model["version"] == json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))["model_version"]


def test_each_wheel_is_one_that_the_requirements_pin(package, bill):
    kind = FUNCTIONS[package.name]
    pins = re.split(r"^(?=\S+==)", (ROOT / "lambda_fn" / kind / "requirements.txt").read_text(), flags=re.M)
    for library in (one for one in bill["components"] if one["type"] == "library"):
        [pin] = [pin for pin in pins if pin.startswith(f"{library['name']}=={library['version']} ")]
        [wheel] = library["hashes"]
        assert f"sha256:{wheel['content']}" in pin


def test_who_needs_whom_reaches_every_part_from_the_function(bill):
    needs = {one["ref"]: {*one.get("dependsOn", [])} for one in bill["dependencies"]}
    reached: set[str] = set()
    waiting = [bill["metadata"]["component"]["bom-ref"]]
    while waiting:
        part = waiting.pop()
        reached.add(part)
        waiting += needs[part] - reached
    assert reached == {bill["metadata"]["component"]["bom-ref"], *(one["bom-ref"] for one in bill["components"])}


def test_nothing_tells_when_or_where_a_package_was_made(package, bill):
    text = (package / "sbom.cdx.json").read_text(encoding="utf-8")
    assert "timestamp" not in bill["metadata"]
    assert str(ROOT) not in text


def test_each_kind_of_package_has_a_serial_number_of_its_own(built):
    bills = [json.loads((built / name / "sbom.cdx.json").read_text(encoding="utf-8")) for name in FUNCTIONS]
    assert len({bill["serialNumber"] for bill in bills}) == len(FUNCTIONS)
    assert {bill["metadata"]["component"]["name"] for bill in bills} == {f"efemera-{k}" for k in FUNCTIONS.values()}
