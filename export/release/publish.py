"""Publish an exported set to an archive: read, verify, then put file by file, and never over another.

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

from export.conversion.artefacts import DATA_FILES
from export.conversion.convert import check_bundle
from export.errors import GateRefused, InputError, input_errors
from export.evaluation.evaluation_file import EVALUATION, digest_of
from export.schemas import as_json, parse_artefact
from lambda_fn.tables.s3 import is_s3, split_address
from lambda_fn.tables.store import Store, open_store

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
        """List warnings for readers of the archive; none of them keeps a set from being archived."""
        warnings = []
        if self.verdict in ("rejected", "unevaluated"):
            warnings.append(f"verdict: {self.verdict}. The archive keeps the set all the same; it serves nothing.")
        if CARD in self.contents and self.model_version.encode() not in self.contents[CARD]:
            warnings.append(f"{CARD} does not name {self.model_version}; is it the card of another model?")
        return warnings


def read_set(folder: Path) -> ModelSet:
    """Read the set in a folder and verify it against its manifest.json.

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


def prove(folder: Path, model_set: ModelSet) -> None:
    """Run the parity gate and every other check of the set; `GateRefused` where one fails.

    What was proven must be what was read: a promotion may have replaced the folder's files meanwhile.
    """
    check_bundle(folder)
    if read_set(folder).contents != model_set.contents:
        raise GateRefused(f"{folder}: its files changed while they were proven; publish again")


@input_errors()
def open_archive(place: str, version: str = "") -> Store:
    """Open the store at a folder or at `s3://bucket/prefix`, or in `version` below it; nothing is read or written yet.

    Raises `InputError` where the bucket can be none.
    """
    if is_s3(place):
        split_address(place)  # before its slashes are taken off
    return open_store(f"{place.rstrip('/')}/{version}".rstrip("/") or "/")


@input_errors()
def already_there(model_set: ModelSet, archive: Store) -> set[str]:
    """List the files that the archive has with the same content; `GateRefused` where it has others in their place."""
    there = [name for name in archive.files("") if name in (*LISTED, RELEASE)]
    for name in sorted(there, key=lambda name: name == RELEASE):  # the file itself says more than the list
        if name not in model_set.contents:
            raise GateRefused(f"{archive.uri}/{name}: is there, and the set to publish has no such file; {_NEVER}")
        _check_same(archive, name, model_set.contents[name])
    return set(there)


@input_errors()
def put_set(
    model_set: ModelSet, archive: Store, there: set[str], on_file: Callable[[str], None] = lambda _: None
) -> dict[str, bool]:
    """Put the files that are not there; returns for each whether it was written. `on_file` gets each name before.

    A file that appears meanwhile counts as done when it is the same, else `GateRefused`. After a failure, what was
    put stays: the same call goes on from there.
    """
    written = {}
    for name, content in model_set.contents.items():
        on_file(name)
        written[name] = name not in there and archive.put_new(name, content)
        if not written[name] and name not in there:
            _check_same(archive, name, content)
    return written


@input_errors()
def check_archived(archive: Store, on_file: Callable[[str], None] = lambda _: None) -> ModelSet:
    """Read the set in an archive whole and verify it against release.json and manifest.json.

    Raises `InputError` where there is no set, `GateRefused` naming every file that is missing, altered or unlisted.
    """
    names = [name for name in archive.files("") if name in (*LISTED, RELEASE)]
    if not names:
        raise InputError(f"{archive.uri}: holds no published set; name the folder of one version")
    if RELEASE not in names:
        raise GateRefused(f"{archive.uri}: holds no {RELEASE}, so nothing says what the set must be")
    contents = {}
    for name in names:
        on_file(name)
        contents[name] = _content(archive, name)
    release = parse_artefact("release", contents[RELEASE], archive.uri)
    faults = [f"{name} is not listed in {RELEASE}" for name in names if name not in (*release["files"], RELEASE)]
    for name, listed in release["files"].items():
        if name not in contents:
            faults.append(f"{name} is missing")
        elif (digest := sha256(contents[name])) != listed["sha256"]:
            faults.append(f"{name} has SHA-256 {digest[:12]}…, {RELEASE} says {listed['sha256'][:12]}…")
    if faults:
        hint = "; publishing the set again completes it" if all(fault.endswith("missing") for fault in faults) else ""
        raise GateRefused(f"{archive.uri}: {', '.join(faults)}{hint}")
    if (version := _check_manifest(archive.uri, contents)["model_version"]) != release["model_version"]:
        raise GateRefused(f"{archive.uri}: {MANIFEST} is of {version}, {RELEASE} of {release['model_version']}")
    verdict = _check_verdict(archive.uri, contents)
    return ModelSet(version, verdict, {name: contents[name] for name in (RELEASE, *release["files"])})


def sha256(content: bytes) -> str:
    """Return the digest in hex."""
    return hashlib.sha256(content).hexdigest()


_NEVER = "a published version never changes, so export the set under another --model-version"


def _check_same(archive: Store, name: str, ours: bytes) -> None:
    """Raise `GateRefused` unless the archive's file has our content."""
    theirs = _content(archive, name)
    if theirs == ours:
        return
    which = _first_difference(theirs, ours) if name == RELEASE else ""
    raise GateRefused(
        f"{archive.uri}/{name}: is there with SHA-256 {_short(sha256(theirs))}, "
        f"this set has {_short(sha256(ours))}{which}; {_NEVER}"
    )


def _content(archive: Store, name: str) -> bytes:
    """Read one file of an archive; raises `InputError` where it is gone."""
    content = archive.read(name)
    if content is None:
        raise InputError(f"{archive.uri}/{name}: can't be read (no such file)")
    return content


def _first_difference(theirs: bytes, ours: bytes) -> str:
    """Name the file in which two releases differ, as part of a sentence; empty where one of them is no release."""
    try:
        there, here = ({n: f["sha256"] for n, f in json.loads(text)["files"].items()} for text in (theirs, ours))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    for name in LISTED:
        if there.get(name) != here.get(name):
            return f" ({name}: {_short(there.get(name))} there, {_short(here.get(name))} here)"
    return ""


def _short(digest: str | None) -> str:
    return "none" if digest is None else f"{digest[:12]}…"


def _check_manifest(place: str, contents: Mapping[str, bytes]) -> dict[str, Any]:
    """Parse the manifest and verify the digest of every file it names."""
    manifest = parse_artefact("manifest", contents[MANIFEST], place)
    for name, stated in manifest["files"].items():
        if name not in contents:
            raise GateRefused(f"{place}/{name}: missing")
        if (digest := sha256(contents[name])) != stated:
            raise GateRefused(f"{place}/{name}: has SHA-256 {digest[:12]}…, {MANIFEST} says {stated[:12]}…")
    return manifest


def _check_verdict(place: str, contents: Mapping[str, bytes]) -> str:
    """Return the evaluation's verdict, once its digest holds and it judges this model."""
    if EVALUATION not in contents:
        return "unevaluated"
    evaluation = parse_artefact("evaluation", contents[EVALUATION], place)
    model = sha256(contents["model.onnx"])[:12]
    if evaluation["model_digest"] != model:
        raise GateRefused(
            f"{place}/{EVALUATION}: judges the model {evaluation['model_digest']}, and the set holds {model}; "
            "evaluate this one, or take the file away"
        )
    if digest_of(evaluation) != evaluation["sha256"]:
        raise GateRefused(f"{place}/{EVALUATION}: its content has not the SHA-256 that it states")
    return str(evaluation["verdict"])
