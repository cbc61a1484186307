"""Post-traffic hook: record the versions of a release, report to CodeDeploy, and delete the oldest versions.

`<RELEASES>/<number of the API's version>.json` is what `infra/rollback.py` goes back by. So a release that could not
be written down is reported Failed, and CodeDeploy takes it back: live, it could never be returned to, and a later one
would delete its versions. Deleting comes after the report: whatever becomes of it, the deployment has succeeded.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import traceback
from collections.abc import Iterator
from itertools import islice
from typing import Any

from lambda_fn.deploy.lifecycle_hook import aws_client, log, model_identity, read_artefact, report_status, time_limited
from lambda_fn.tables.s3 import client as s3_client
from lambda_fn.tables.store import Store, open_store

SCHEMA_VERSION = 1
VERSION = re.compile(r"arn:[^:]+:lambda:[^:]+:\d{12}:function:([A-Za-z0-9_-]+):([1-9][0-9]*)")
RECORD = re.compile(r"([1-9][0-9]*)\.json")


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Record the release that VERSIONS names below RELEASES, report, and keep the versions of the KEPT newest."""
    try:
        releases, versions = open_store(os.environ["RELEASES"]), parse_versions(os.environ["VERSIONS"])
        with time_limited(s3_client(), context):
            record_release(releases, versions)
    except Exception as error:
        stack = traceback.format_exc()
        log("ERROR", "the release could not be recorded, so it is taken back", error=str(error), stack=stack)
        return report_status(event, succeeded=False)
    status = report_status(event, succeeded=True)
    try:
        with (
            time_limited(s3_client(), context, 1),
            time_limited(aws_client("lambda", 5, 10), context, 1) as functions,
        ):
            prune_versions(functions, releases, versions, int(os.environ.get("KEPT") or 3))
    except Exception as error:
        log("ERROR", "old versions could not be deleted", error=str(error), stack=traceback.format_exc())
    return status


def parse_versions(arns: str) -> dict[str, int]:
    """Parse comma-separated version ARNs, the API function's first: function → version. Raises `ValueError`."""
    versions = {}
    for arn in arns.split(","):
        if not (match := VERSION.fullmatch(arn.strip())):
            raise ValueError(f"VERSIONS: {arn!r} is not the ARN of a published version")
        versions[match[1]] = int(match[2])
    return versions


def record_release(releases: Store, versions: dict[str, int]) -> None:
    """Write the release's record once; a second time do nothing, or log that another one stands there already."""
    number = next(iter(versions.values()))
    key, release = f"{number}.json", {
        "schema_version": SCHEMA_VERSION,
        "versions": {function: str(version) for function, version in versions.items()},
        **model_identity(read_artefact("manifest.json")),
        "released_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    if releases.put_new(key, json.dumps(release, indent=1).encode()):
        log("INFO", "release recorded", record=f"{releases.uri}/{key}")
        return
    existing = json.loads(releases.read(key) or b"null")
    if not isinstance(existing, dict) or any(
        existing.get(name) != release[name] for name in release if name != "released_at"
    ):
        log(
            "ERROR",
            "the record of another release is there and stays",
            record=f"{releases.uri}/{key}",
            not_kept=release,
        )


def prune_versions(functions: Any, releases: Store, released: dict[str, int], kept: int) -> None:
    """Delete the versions of each function that no kept release needs; a fault with one function stops no other.

    Where fewer than `kept` records name a function none of it is deleted: the stack's first release ran no hook, so
    there is no record of it.
    """
    if kept < 1:
        raise ValueError(f"KEPT: {kept} releases can't be kept; at least the one just made is")
    records = list(islice(_recorded_versions(releases, next(iter(released))), kept))
    for function, version in released.items():
        named = [int(versions[function]) for versions in records if function in versions]
        if len(named) < kept:
            log("INFO", "nothing deleted, for want of records", function=function, records=len(named))
            continue
        try:
            _prune_function(functions, function, version, {*named})
        except Exception as error:
            log("ERROR", "old versions could not be deleted", function=function, error=str(error))


def _recorded_versions(releases: Store, api: str) -> Iterator[dict[str, str]]:
    """Yield function → version of each recorded release, the newest first.

    Without those that a rollback has left, as nobody goes back to them, and those of an API function that was replaced.
    """
    numbers = [int(match[1]) for name in releases.children("") if (match := RECORD.fullmatch(name))]
    for number in sorted(numbers, reverse=True):
        record = json.loads(releases.read(f"{number}.json") or b"{}")
        versions: dict[str, str] = record["versions"]
        if api in versions and not record.get("withdrawn_at"):
            yield versions


def _prune_function(functions: Any, function: str, released: int, named: set[int]) -> None:
    pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    listed = [entry["Version"] for page in pages for entry in page["Versions"]]
    published = [int(version) for version in listed if version.isdecimal()]  # without $LATEST
    surplus = surplus_versions(published, released, named | _aliased_versions(functions, function))
    for version in surplus:
        delete_version(functions, function, str(version))
    if surplus:
        log("INFO", "old versions deleted", function=function, versions=surplus)


def surplus_versions(published: list[int], released: int, needed: set[int]) -> list[int]:
    """List the versions that may go: older than the one just released, not the newest there is, and not needed."""
    return [version for version in published if version < released and version not in {*needed, max(published)}]


def _aliased_versions(functions: Any, function: str) -> set[int]:
    """Return the versions that any alias sends requests to, be it a share of them."""
    versions: set[str] = set()
    for page in functions.get_paginator("list_aliases").paginate(FunctionName=function):
        for alias in page["Aliases"]:
            weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {})
            versions |= {alias["FunctionVersion"], *weights}
    return {int(version) for version in versions if version.isdecimal()}


def delete_version(functions: Any, function: str, version: str) -> None:
    """Delete one published version. Without its number Lambda would delete the function whole, so that is refused."""
    if not re.fullmatch(r"[1-9][0-9]*", version):
        raise ValueError(f"{function}: {version!r} is not the number of a published version")
    functions.delete_function(FunctionName=function, Qualifier=version)
