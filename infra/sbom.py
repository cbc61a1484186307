"""Write a package's bill of materials (SBOM, CycloneDX 1.6): its parts, their suppliers and dependencies.

It is read off the finished package, not off its requirements, so what was pruned whole is not in it. Each component's
occurrences are the entries of the package's root that it brought. Nothing in it tells when or where it was made.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
import uuid
from importlib.metadata import Distribution
from pathlib import Path
from typing import NamedTuple

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.contrib.this.builders import this_component
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.spdx import is_supported_id
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lambda_fn import __version__

ROOT = Path(__file__).resolve().parent.parent
SPELLINGS = {"MIT License": "MIT", "Apache License 2.0": "Apache-2.0"}  # SPDX's, of what METADATA says in words

Owners = dict[str, set[str]]  # name of a .dist-info folder → the entries of the package's root that it brought


class Target(NamedTuple):
    """Function, processor and Python version that a package is for."""

    kind: str  # api, batch or deploy
    machine: str  # as a wheel's tag and `platform_machine` name it
    python: str  # two numbers


def owners(package: Path) -> Owners:
    """Map each distribution to its entries of the package, by pip's RECORD files, which pruning takes away."""
    owned: Owners = {}
    for record in package.glob("*.dist-info/RECORD"):
        paths = record.read_text(encoding="utf-8").splitlines()
        owned[record.parent.name] = {path.split(",")[0].split("/")[0] for path in paths if not path.startswith("..")}
    return owned


def bill(package: Path, target: Target, owned: Owners, wheels: dict[str, str], content: str) -> str:
    """Return the bill of a package as JSON.

    `wheels` has the SHA-256 of each distribution's wheel. From `content`, a digest of the package, comes the bill's
    serial number: an equal package has the same one, and no other has it.
    """
    installed = {folder: Distribution.at(folder) for folder in package.glob("*.dist-info")}
    libraries = {_name(one): _library(one, _left(folder, owned), wheels) for folder, one in installed.items()}
    needed = {_name(one): _needs(one, target) & libraries.keys() for one in installed.values()}
    model = _model(package)
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, content), components=[*libraries.values(), *model])
    bom.metadata.timestamp = None  # the library's own is now
    bom.metadata.lifecycles = [PredefinedLifecycle(LifecyclePhase.BUILD)]
    bom.metadata.tools.components.add(this_component())
    bom.metadata.component = application = _application(target)
    direct = _direct(target.kind) & libraries.keys()
    bom.register_dependency(application, [*(libraries[name] for name in direct), *model])
    for name, library in libraries.items():
        bom.register_dependency(library, [libraries[other] for other in needed[name]])
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1) + "\n"


def _application(target: Target) -> Component:
    """Describe our own code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = f"{project['name']}-{target.kind}"
    made_for = {"efemera:machine": target.machine, "efemera:python": target.python}
    return Component(
        type=ComponentType.APPLICATION,
        name=name,
        bom_ref=name,
        version=__version__,
        description=project["description"],
        licenses=[_licence(project["license"])],
        properties=[Property(name=key, value=value) for key, value in made_for.items()],
        evidence=_at("lambda_fn", "models"),
    )


def _model(package: Path) -> list[Component]:
    """Describe the model, where the package has one that can be run."""
    graph = package / "models" / "model.onnx"
    if not graph.exists():
        return []
    manifest = json.loads((package / "models" / "manifest.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    return [
        Component(
            type=ComponentType.MACHINE_LEARNING_MODEL,
            name="efemera-model",
            bom_ref="efemera-model",
            version=manifest["model_version"],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
            evidence=_at("models/model.onnx"),
        )
    ]


def _library(one: Distribution, entries: list[str], wheels: dict[str, str]) -> Component:
    """Describe one distribution, by what is left of it."""
    purl = PackageURL("pypi", name=_name(one), version=one.version)
    return Component(
        name=_name(one),
        bom_ref=purl.to_string(),
        version=one.version,
        description=one.metadata["Summary"],
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheels[_name(one)])],
        licenses=[_licence(name) for name in _declared(one)],
        evidence=_at(*entries),
    )


def _left(folder: Path, owned: Owners) -> list[str]:
    """List the entries of a .dist-info folder's distribution that pruning left."""
    return [entry for entry in owned[folder.name] if (folder.parent / entry).exists()]


def _at(*places: str) -> ComponentEvidence:
    # Without a reference of its own the library sorts each by chance.
    return ComponentEvidence(occurrences=[Occurrence(location=place, bom_ref=place) for place in places])


def _name(one: Distribution) -> str:
    return canonicalize_name(one.name)


def _direct(kind: str) -> set[str]:
    """List the distributions that requirements.in names."""
    lines = (ROOT / "lambda_fn" / kind / "requirements.in").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")}


def _needs(one: Distribution, target: Target) -> set[str]:
    """List the distributions that one requires on Lambda."""
    here = {"python_version": target.python, "python_full_version": f"{target.python}.0", "extra": ""}
    here |= {
        "platform_machine": target.machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
    }
    requirements = [Requirement(line) for line in one.requires or []]
    return {canonicalize_name(need.name) for need in requirements if not need.marker or need.marker.evaluate(here)}


def _declared(one: Distribution) -> list[str]:
    """Read a distribution's licence: its SPDX expression, else a line that names one, else its classifiers."""
    if expression := one.metadata["License-Expression"]:
        return [expression]
    text = one.metadata["License"] or ""
    line = SPELLINGS.get(text, text)
    classified = [entry for entry in one.metadata.get_all("Classifier", []) if entry.startswith("License ::")]
    named = [entry.rpartition(" :: ")[2] for entry in classified]
    return [line] if is_supported_id(line) or not named else [SPELLINGS.get(entry, entry) for entry in named]


def _licence(name: str) -> License:
    return LicenseFactory().make_from_string(name, license_acknowledgement=LicenseAcknowledgement.DECLARED)
