"""Archives an exported set for good: read, held against itself, then put file by file and never over another.

`release.json` goes first. It lists every file with its SHA-256, so of two different sets of one version a single
one can begin. `manifest.json` goes last: whoever sees it sees a whole set, evaluation and model card with it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema

from export.conversion.artefacts import DATA_FILES, as_json
from export.conversion.convert import check_bundle
from export.conversion.schemas import read_schema
from export.errors import GateRefused, InputError
from export.evaluation.evaluation_file import EVALUATION, digest_of
from export.release.archive import Archive

RELEASE, MANIFEST, CARD = "release.json", "manifest.json", "README.md"
OPTIONAL = (EVALUATION, "sessions.json", CARD)
LISTED = (*DATA_FILES, *OPTIONAL, MANIFEST)  # in the order in which they are put


@dataclasses.dataclass(frozen=True)
class ModelSet:
    """Every file of one set as it was read, in the order in which they are put."""

    model_version: str
    verdict: str
    contents: dict[str, bytes]  # release.json first, manifest.json last

    def warnings(self) -> list[str]:
        """What a reader of the archive should know; none of it keeps a set from being archived."""
        found = []
        if self.verdict in ("rejected", "unevaluated"):
            found.append(f"verdict: {self.verdict}. The archive keeps the set all the same; it serves nothing.")
        if CARD in self.contents and self.model_version.encode() not in self.contents[CARD]:
            found.append(f"{CARD} does not name {self.model_version}; is it the card of another model?")
        return found


def read_set(folder: Path) -> ModelSet:
    """The set in a folder, once its files are what manifest.json says.

    Raises `InputError` where there is no set, `GateRefused` where one is not whole or was altered.
    """
    contents = {}
    for name in LISTED:
        try:
            contents[name] = (folder / name).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(f"{folder / name}: can't be read ({error.strerror or error})") from None
    if MANIFEST not in contents:
        raise InputError(f"{folder}: holds no exported model (no manifest.json)")
    manifest = _check_manifest(str(folder), contents)
    release = {
        "schema_version": 1,
        "model_version": manifest["model_version"],
        "files": {name: {"sha256": sha256(content), "size": len(content)} for name, content in contents.items()},
    }
    verdict = _check_verdict(str(folder), contents)
    return ModelSet(manifest["model_version"], verdict, {RELEASE: as_json("release", release), **contents})


def prove(folder: Path, found: ModelSet) -> None:
    """The parity gate and every other check of the set; `GateRefused` where one fails.

    What was proven must be what was read: a promotion may have replaced the folder's files meanwhile.
    """
    check_bundle(folder)
    if read_set(folder).contents != found.contents:
        raise GateRefused(f"{folder}: its files changed while they were proven; publish again")


def already_there(found: ModelSet, archive: Archive) -> set[str]:
    """The files that the archive has with the same content; `GateRefused` where it has others in their place."""
    there = [name for name in archive.names() if name in (*LISTED, RELEASE)]
    for name in sorted(there, key=lambda name: name == RELEASE):  # the file itself says more than the list
        if name not in found.contents:
            raise GateRefused(f"{archive.place}/{name}: is there, and the set to publish has no such file; {_NEVER}")
        _check_same(archive, name, found.contents[name])
    return set(there)


def put_set(
    found: ModelSet, archive: Archive, there: set[str], on_file: Callable[[str], None] = lambda _: None
) -> dict[str, bool]:
    """Put the files that are not there; of each whether it was written. `on_file` hears each name before.

    A file that appears meanwhile counts as done when it is the same, else `GateRefused`. After a failure, what was
    put stays: the same call goes on from there.
    """
    written = {}
    for name, content in found.contents.items():
        on_file(name)
        written[name] = name not in there and archive.put_new(name, content)
        if not written[name] and name not in there:
            _check_same(archive, name, content)
    return written


def check_archived(archive: Archive, on_file: Callable[[str], None] = lambda _: None) -> ModelSet:
    """The set in an archive, read whole and held against release.json and manifest.json.

    Raises `InputError` where there is no set, `GateRefused` naming every file that is missing, altered or unlisted.
    """
    names = [name for name in archive.names() if name in (*LISTED, RELEASE)]
    if not names:
        raise InputError(f"{archive.place}: holds no published set; name the folder of one version")
    if RELEASE not in names:
        raise GateRefused(f"{archive.place}: holds no {RELEASE}, so nothing says what the set must be")
    contents = {}
    for name in names:
        on_file(name)
        contents[name] = archive.read(name)
    release = _parsed(archive.place, "release", contents)
    faults = [f"{name} is not listed in {RELEASE}" for name in names if name not in (*release["files"], RELEASE)]
    for name, said in release["files"].items():
        if name not in contents:
            faults.append(f"{name} is missing")
        elif (digest := sha256(contents[name])) != said["sha256"]:
            faults.append(f"{name} has SHA-256 {digest[:12]}…, {RELEASE} says {said['sha256'][:12]}…")
    if faults:
        hint = "; publishing the set again completes it" if all(fault.endswith("missing") for fault in faults) else ""
        raise GateRefused(f"{archive.place}: {', '.join(faults)}{hint}")
    if (version := _check_manifest(archive.place, contents)["model_version"]) != release["model_version"]:
        raise GateRefused(f"{archive.place}: {MANIFEST} is of {version}, {RELEASE} of {release['model_version']}")
    verdict = _check_verdict(archive.place, contents)
    return ModelSet(version, verdict, {name: contents[name] for name in (RELEASE, *release["files"])})


def sha256(content: bytes) -> str:
    """The digest in hex."""
    return hashlib.sha256(content).hexdigest()


_NEVER = "a published version never changes, so export the set under another --model-version"


def _check_same(archive: Archive, name: str, ours: bytes) -> None:
    """What is there must be what would have been put."""
    theirs = archive.read(name)
    if theirs == ours:
        return
    which = _first_difference(theirs, ours) if name == RELEASE else ""
    raise GateRefused(
        f"{archive.place}/{name}: is there with SHA-256 {_short(sha256(theirs))}, "
        f"this set has {_short(sha256(ours))}{which}; {_NEVER}"
    )


def _first_difference(theirs: bytes, ours: bytes) -> str:
    """In which file two releases differ, as part of a sentence; nothing where one of them is no release."""
    try:
        there, here = ({n: f["sha256"] for n, f in json.loads(one)["files"].items()} for one in (theirs, ours))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    for name in LISTED:
        if (one := there.get(name)) != (other := here.get(name)):
            return f" ({name}: {_short(one)} there, {_short(other)} here)"
    return ""


def _short(digest: str | None) -> str:
    return "none" if digest is None else f"{digest[:12]}…"


def _check_manifest(where: str, contents: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest, once every file it names is there with its digest."""
    manifest = _parsed(where, "manifest", contents)
    for name, said in manifest["files"].items():
        if name not in contents:
            raise GateRefused(f"{where}/{name}: missing")
        if (digest := sha256(contents[name])) != said:
            raise GateRefused(f"{where}/{name}: has SHA-256 {digest[:12]}…, {MANIFEST} says {said[:12]}…")
    return manifest


def _check_verdict(where: str, contents: Mapping[str, bytes]) -> str:
    """What the evaluation says, once it speaks of this model in the words it was written with."""
    if EVALUATION not in contents:
        return "unevaluated"
    evaluation, model = _parsed(where, "evaluation", contents), sha256(contents["model.onnx"])[:12]
    if evaluation["model_digest"] != model:
        raise GateRefused(
            f"{where}/{EVALUATION}: judges the model {evaluation['model_digest']}, and the set holds {model}; "
            "evaluate this one, or take the file away"
        )
    if digest_of(evaluation) != evaluation["sha256"]:
        raise GateRefused(f"{where}/{EVALUATION}: its content has not the SHA-256 that it states")
    return str(evaluation["verdict"])


def _parsed(where: str, kind: str, contents: Mapping[str, bytes]) -> dict[str, Any]:
    """One JSON file of a set that fits its schema."""
    try:
        found: dict[str, Any] = json.loads(contents[f"{kind}.json"])
        jsonschema.validate(found, read_schema(kind))
    except ValueError as error:
        raise GateRefused(f"{where}/{kind}.json: {error}") from None
    except jsonschema.ValidationError as error:
        raise GateRefused(f"{where}/{kind}.json: {error.json_path}: {error.message}") from None
    return found
