"""Roll a stack back, alias `live` of its functions to the release before: `make rollback [STACK=…] [TO=…] [YES=1]`.

Run with the Python of .venv-sam. A release whose canary still runs is stopped, and CodeDeploy moves it back. Otherwise
the records say where to go: `releases/<API version>.json` in the stack's bucket, one for each release but the first,
whose versions are all 1. A record that is newer than what was moved to is marked `withdrawn_at`, so that a later
rollback does not come back to it. Exit codes: 0 done; 2 bad input; 3 refused, or not all moved: run it again.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from infra.deployed import ALIAS, Alias, Refused, Release, Stack


def main(arguments: list[str] | None = None) -> None:
    """Roll back; where it can't, print why and exit with 2 or 3."""
    parser = argparse.ArgumentParser(description="Move alias live of every function back to the release before.")
    parser.add_argument("--stack", required=True, help="its name, such as efemera-prod")
    parser.add_argument("--to", type=int, metavar="N", help="to the release whose API function has version N")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    options = parser.parse_args(arguments)
    exit_on_refusal(lambda: roll_back(Stack(options.stack), options.to, options.yes))


def exit_on_refusal(work: Callable[[], None]) -> None:
    """Run `work`, and turn what a user can mend into a line on stderr and an exit code."""
    try:
        work()
    except Refused as refused:
        print(refused, file=sys.stderr)
        sys.exit(refused.code)
    except (BotoCoreError, ClientError) as error:
        print(f"AWS: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def roll_back(stack: Stack, to: int | None, sure: bool) -> None:
    """Stop a running deployment; where there is none, move the aliases to an earlier release."""
    if running := stack.deployments():
        if to is not None:
            raise Refused(f"{stack.name}: a deployment is running ({', '.join(running)}); stop it first, without TO")
        return stop_deployments(stack, running, sure)
    check_settled(stack)
    now, releases = stack.aliases(), stack.releases()
    release = choose_release(stack, now, releases, to)
    if is_live(now, release):
        withdraw(stack, releases, release)
        print(f"{stack.name} is at release {release.api_version} already: nothing to move")
        return None
    check_versions(stack, release)
    print_moves(stack, now, release, releases)
    confirm("Move them?", sure)
    move_aliases(stack, now, release)
    withdraw(stack, releases, release)
    print(
        f"\nrelease {release.api_version} is live. The stack's template still names what was there before: deploying it"
        " again\nunchanged changes nothing. Deploy a mended release next."
    )
    return None


def check_settled(stack: Stack) -> None:
    """Refuse a stack in the middle of an update."""
    if stack.status.endswith("_IN_PROGRESS") and "CLEANUP" not in stack.status:
        raise Refused(f"{stack.name} is {stack.status}: wait for its end, or cancel the update in CloudFormation")


def stop_deployments(stack: Stack, running: list[str], sure: bool) -> None:
    """Stop running deployments; CodeDeploy moves their traffic back."""
    print(f"{stack.name}: a deployment is running ({', '.join(running)}); the release before it is still live")
    confirm("Stop it?", sure)
    for deployment in running:
        stack.codedeploy.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
        print(f"stopped {deployment}: CodeDeploy moves all traffic back")
    print("CloudFormation then undoes the whole update: wait for UPDATE_ROLLBACK_COMPLETE before the next deployment.")
    before = stack.aliases()[0].version
    if any(release.withdrawn and str(release.api_version) == before for release in stack.releases()):
        print(f"That goes back to version {before}, whose release had been left: then run this again.")


def choose_release(stack: Stack, now: list[Alias], releases: list[Release], to: int | None) -> Release:
    """Choose the release to move to; raises `Refused` where there is none.

    Without `to` it is the newest that is not newer than the API's version, not withdrawn, and not the set of now: so a
    change of the batch functions alone, or a half-done rollback, goes to the record of the API's own version.
    """
    if to is not None:
        for release in [*releases, stack.first_release()]:
            if release.api_version == to:
                return release
        known = ", ".join(str(release.api_version) for release in [*releases, stack.first_release()])
        raise Refused(f"{stack.name} has no record of a release {to}; there are {known}", 2)
    current = int(now[0].serving)
    candidates = [release for release in [*releases, stack.first_release()] if release.api_version <= current]
    if is_live(now, candidates[0]) and any(release.api_version > current for release in releases):
        return candidates[0]  # rolled back already: going on to a yet older one takes TO
    for release in candidates:
        if not release.withdrawn and not is_live(now, release):
            return release
    raise Refused(f"{stack.name}: there is nothing to go back to, this is its first release")


def is_live(now: list[Alias], release: Release) -> bool:
    """Return whether all traffic goes to the versions of this release."""
    return all(alias.is_at(release.versions[alias.function]) for alias in now)


def check_versions(stack: Stack, release: Release) -> None:
    """Refuse a release of which a version has been deleted, before anything is moved."""
    for name, version in release.versions.items():
        try:
            state = stack.functions.get_function_configuration(FunctionName=name, Qualifier=version).get("State")
        except stack.functions.exceptions.ResourceNotFoundException:
            raise Refused(
                f"release {release.api_version}: version {version} of {name} has been deleted; nothing was moved."
                " Deploy the older code anew, or name another release (TO=…)"
            ) from None
        if state == "Inactive":
            print(f"version {version} of {name} is inactive: its first requests fail until Lambda has woken it")


def print_moves(stack: Stack, now: list[Alias], release: Release, releases: list[Release]) -> None:
    """Print which alias will move from which version to which."""
    width = max(len(name) for name in stack.names)
    models = {known.api_version: known.model for known in [*releases, stack.first_release()]}
    print(f"{'':{width}}  now  →  then")
    for alias in now:
        others = "".join(f" + {share:.0%} {version}" for version, share in alias.weights.items())
        print(f"{alias.function:{width}}  {alias.version}{others}  →  {release.versions[alias.function]}")
    print(f"model {models.get(int(now[0].serving), 'of no recorded release')}  →  {release.model}")


def confirm(question: str, sure: bool) -> None:
    """Ask, unless `sure`; raises `Refused` at any answer but yes."""
    try:
        if sure or input(f"{question} [y/N] ").strip().lower() in ("y", "yes"):
            return
    except EOFError:
        raise Refused("\nnobody is there to answer: say --yes (make rollback YES=1)", 2) from None
    raise Refused("nothing was moved")


def move_aliases(stack: Stack, now: list[Alias], release: Release) -> None:
    """Point each alias at its version, unless it has been moved since it was read; the API's first."""
    moved: list[str] = []
    for alias in now:
        version = release.versions[alias.function]
        if alias.is_at(version):
            continue
        try:
            point_alias(stack, alias, version, {})
        except Refused as refused:
            left = [waiting.function for waiting in now[now.index(alias) :]]
            raise Refused(
                f"{refused}\nmoved: {', '.join(moved) or 'none'}\nnot moved: {', '.join(left)}\n"
                f"Look at them, then run it again (TO={release.api_version})."
            ) from None
        moved.append(alias.function)
        print(f"moved {alias.function} to {version}")


def point_alias(stack: Stack, alias: Alias, version: str, weights: dict[str, float]) -> None:
    """Point one alias; raises `Refused` where it has been moved since it was read."""
    try:
        stack.functions.update_alias(
            FunctionName=alias.function,
            Name=ALIAS,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": weights},
            RevisionId=alias.revision,
        )
    except (BotoCoreError, ClientError) as error:
        changed = getattr(error, "response", {}).get("Error", {}).get("Code") == "PreconditionFailedException"
        raise Refused(f"{alias.function}: {'somebody else has moved it meanwhile' if changed else error}") from None


def withdraw(stack: Stack, releases: list[Release], to: Release) -> None:
    """Mark the releases newer than `to` as withdrawn, and `to` as not."""
    withdraw_newer(stack, releases, to.api_version)
    for release in releases:
        if release.api_version == to.api_version and release.withdrawn:
            write_record(stack, release, to.api_version, None)


def withdraw_newer(stack: Stack, releases: list[Release], live: int) -> list[int]:
    """Mark the releases newer than the live one as withdrawn; return those that had no mark."""
    left = [release for release in releases if release.api_version > live and not release.withdrawn]
    for release in left:
        write_record(stack, release, live, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    return [release.api_version for release in left]


def write_record(stack: Stack, release: Release, live: int, withdrawn_at: str | None) -> None:
    """Write a release's record anew, with or without `withdrawn_at`."""
    record = {name: value for name, value in (release.record or {}).items() if name != "withdrawn_at"}
    if withdrawn_at:
        record["withdrawn_at"] = withdrawn_at
    key, body = f"releases/{release.api_version}.json", json.dumps(record).encode()
    try:
        stack.s3.put_object(Bucket=stack.bucket, Key=key, Body=body, ContentType="application/json")
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            f"release {live} is live, but s3://{stack.bucket}/{key} could not be marked: {error}\n"
            "Until it is, a later rollback may come back to it: run this again."
        ) from None


if __name__ == "__main__":
    main()
