"""Realign a rolled-back stack, so that it can be deployed again: part of `make deploy`, before and after `sam deploy`.

A rollback moves aliases and the stack does not know: CodeDeploy then refuses a deployment, as alias `live` is not at
the version that CloudFormation says, and CloudFormation leaves an alias of the batch as it is where nothing is new. So
before a deployment the API's alias names the stack's version again, with a weight that sends every request where it
went, and the others move to the stack's. Run as a module with the Python of .venv-sam. Exit codes: 0 done, or nothing
to do; 2 bad input; 3 refused.
"""

from __future__ import annotations

import argparse

from infra.deployed import NoStack, Refused, Stack
from infra.rollback import check_settled, exit_on_refusal, point_alias, roll_back, withdraw_newer


def main(arguments: list[str] | None = None) -> None:
    """Realign before or after a deployment, and print what was done."""
    parser = argparse.ArgumentParser(description="Let a stack that was rolled back be deployed again.")
    parser.add_argument("--stack", required=True, help="its name, such as efemera-prod")
    parser.add_argument(
        "--after",
        choices=["done", "failed"],
        help="a deployment: say whether it left the API at an older version; or take back what was done for it",
    )
    parser.add_argument("--live", action="store_true", help="just print the version of the API that requests go to")
    options = parser.parse_args(arguments)
    work = (
        print_live_version
        if options.live
        else {None: align_before, "done": report_after, "failed": restore}[options.after]
    )

    def on_stack() -> None:
        try:
            stack = Stack(options.stack)
        except NoStack:
            return  # its first deployment, which has nothing to align
        work(stack)

    exit_on_refusal(on_stack)


def print_live_version(stack: Stack) -> None:
    """Print which version of the API serves: `make deploy` takes back only what has changed it."""
    print(stack.aliases()[0].serving)


def align_before(stack: Stack) -> None:
    """Point the aliases so that CloudFormation and CodeDeploy find what they expect."""
    if running := stack.deployments():
        raise Refused(
            f"{stack.name}: a deployment is running ({', '.join(running)}); wait for its end, or make rollback"
        )
    check_settled(stack)
    versions = stack.versions()
    if versions is None:
        print(f"{stack.name} does not name one version of each function; its aliases were left as they are")
        return
    aliases = stack.aliases()
    api, serving = aliases[0], aliases[0].serving
    expected = versions[api.function]
    if api.version != expected:
        point_alias(stack, api, expected, {} if serving == expected else {serving: 1.0})
        print(f"{api.function}: live names the stack's version {expected} again; every request still goes to {serving}")
        if stack.gradual and serving != expected:
            print(f"{api.function}: while the new version's canary runs, what it does not get goes to {expected}")
    for alias in aliases[1:]:
        if alias.version != versions[alias.function] or alias.weights:
            point_alias(stack, alias, versions[alias.function], {})
            print(f"{alias.function}: moved from {alias.serving} to the stack's version {versions[alias.function]}")
    for release in withdraw_newer(stack, stack.releases(), int(serving)):
        print(f"release {release}: marked as withdrawn, as version {serving} of {api.function} is live")


def report_after(stack: Stack) -> None:
    """Print that a deployment has left the API at an older version than the stack's, as nothing of it had changed.

    If nothing at all had, or somebody said no to the changes, the batch goes back to the API's release too.
    """
    versions, api = stack.versions(), stack.aliases()[0]
    if not versions or api.is_at(versions[api.function]):
        return
    if any(release.versions == versions for release in stack.releases()):
        restore(stack)
    print(
        f"{api.function} is unchanged and still serves version {api.serving}, where it was rolled back to;"
        f" make rollback TO={versions[api.function]} goes on to the stack's version {versions[api.function]}"
    )


def restore(stack: Stack) -> None:
    """Go back, after a failed deployment, to the release live before it, if the stack's own had been withdrawn."""
    check_settled(stack)
    versions = stack.versions()
    if stack.deployments() or versions is None:
        return
    own = int(versions[stack.api])
    if any(release.api_version == own and release.withdrawn for release in stack.releases()):
        roll_back(stack, None, True)


if __name__ == "__main__":
    main()
