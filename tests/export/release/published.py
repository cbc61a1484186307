"""Fixtures of publishing: the committed set, places to put it, and S3 calls that are counted or fail."""

import dataclasses
import hashlib
import json
from pathlib import Path

import botocore.client

from export.release.publish import LISTED, RELEASE, ModelSet, already_there, put_set

MODELS = Path(__file__).parent.parent.parent.parent / "models"
ORDER = (RELEASE, *LISTED)  # the committed set has every file that a set can have


def publish(found, archive, on_file=lambda _: None):
    """Ask what is there, then put the rest, as the command does around the proof."""
    return put_set(found, archive, already_there(found, archive), on_file)


def contents(archive):
    return {name: archive.read(name) for name in archive.files("")}


def with_other(found: ModelSet, name: str, content: bytes | None) -> ModelSet:
    """The same version with another content of one file, or without it, and a release that says so."""
    files = {key: value for key, value in found.contents.items() if key != name}
    if content is not None:
        files = {key: content if key == name else value for key, value in found.contents.items()}
    release = json.loads(files.pop(RELEASE))
    release["files"] = {
        key: {"sha256": hashlib.sha256(value).hexdigest(), "size": len(value)} for key, value in files.items()
    }
    return dataclasses.replace(found, contents={RELEASE: json.dumps(release).encode(), **files})


class Calls:
    """Stands between the archive and moto: remembers every call, and lets one of them meet what a test wants."""

    def __init__(self, monkeypatch):
        self.made = []  # (operation, parameters)
        self.meet = lambda _operation, _parameters, call: call()
        real = botocore.client.BaseClient._make_api_call

        def between(client, operation, parameters):
            self.made.append((operation, dict(parameters)))  # boto3 changes what it was given
            return self.meet(operation, parameters, lambda: real(client, operation, parameters))

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", between)

    def puts(self):
        return [parameters for operation, parameters in self.made if operation == "PutObject"]
