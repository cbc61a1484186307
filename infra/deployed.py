"""A deployed stack as it is now: where its aliases point, what CodeDeploy is doing, which releases are on record."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import ClientError

ALIAS = "live"
FIRST = "1"
UNDER_WAY = [
    "Created",
    "Queued",
    "InProgress",
    "Baking",
    "Ready",
]  # of CodeDeploy's statuses, those that have no end yet
NEVER_MADE = {"REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}  # a first deployment not begun, or undone
VERSION = re.compile(r":function:([^:]+):([1-9][0-9]*)$")  # the end of a version's ARN


class Refused(Exception):
    """What the user reads in one line, and the exit code."""

    def __init__(self, message: str, code: int = 3) -> None:
        super().__init__(message)
        self.code = code


class NoStack(Refused):
    """There is no such stack, or only the shell of one that has never been whole."""


class Alias(NamedTuple):
    """Where alias `live` of one function points now."""

    function: str
    version: str
    weights: dict[str, float]  # of other versions: a canary that runs or was left half way, or 1.0 after realign.py
    revision: str

    @property
    def serving(self) -> str:
        """The version that requests go to, or in a canary most of them."""
        return next((version for version, share in self.weights.items() if share == 1), self.version)

    def is_at(self, version: str) -> bool:
        """Whether every request goes to this version."""
        return self.serving == version and all(share in (0, 1) for share in self.weights.values())


class Release(NamedTuple):
    """A set of versions that went live together."""

    api_version: int
    versions: dict[str, str]  # function → version
    model: str
    record: dict[str, Any] | None  # as it stands in the bucket; the first release has none

    @property
    def withdrawn(self) -> bool:
        """Whether a rollback has left it."""
        return bool(self.record and self.record.get("withdrawn_at"))


class Stack:
    """A deployed stack: its outputs, and the clients of the services that hold its parts."""

    def __init__(self, name: str) -> None:
        session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        self.cloudformation, self.codedeploy = session.client("cloudformation"), session.client("codedeploy")
        self.functions, self.s3 = session.client("lambda"), session.client("s3")
        try:
            (found,) = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            message = error.response["Error"]["Message"]
            raise (NoStack if "does not exist" in message else Refused)(f"stack {name}: {message}", 2) from None
        if found["StackStatus"] in NEVER_MADE:
            raise NoStack(f"stack {name} is {found['StackStatus']}: nothing of it is live", 2)
        outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        if missing := {"FunctionName", "FunctionNames", "BucketName"} - outputs.keys():
            raise Refused(f"stack {name}: it has no output {', '.join(sorted(missing))}; is it one of Efemera's?", 2)
        self.name, self.status = name, found["StackStatus"]
        self.api, self.bucket = outputs["FunctionName"], outputs["BucketName"]
        self.gradual = outputs.get("DeploymentType", "AllAtOnce") != "AllAtOnce"
        self.names = sorted(outputs["FunctionNames"].split(","), key=lambda one: one != self.api)  # the API first

    def parts(self, kind: str) -> list[str]:
        """The physical ids of the stack's resources of one type, without those that it has let go."""
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        return [
            part["PhysicalResourceId"]
            for page in pages
            for part in page["StackResourceSummaries"]
            if part["ResourceType"] == kind and not part["ResourceStatus"].startswith("DELETE_")
        ]

    def versions(self) -> dict[str, str] | None:
        """Function → the version that the stack itself names; None unless it names exactly one of each."""
        named = [match.groups() for arn in self.parts("AWS::Lambda::Version") if (match := VERSION.search(arn))]
        if sorted(function for function, _ in named if function in self.names) != sorted(self.names):
            return None
        return {function: version for function, version in named if function in self.names}

    def deployments(self) -> list[str]:
        """Ids of the CodeDeploy deployments that have not ended."""
        found: list[str] = []
        for group in self.parts("AWS::CodeDeploy::DeploymentGroup"):
            (application,) = self.parts("AWS::CodeDeploy::Application")
            asked = {"applicationName": application, "deploymentGroupName": group, "includeOnlyStatuses": UNDER_WAY}
            for page in self.codedeploy.get_paginator("list_deployments").paginate(**asked):
                found += page["deployments"]
        return found

    def aliases(self) -> list[Alias]:
        """Where the aliases point now, the API's first."""
        found = []
        for name in self.names:
            alias = self.functions.get_alias(FunctionName=name, Name=ALIAS)
            weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
            found.append(Alias(name, alias["FunctionVersion"], weights, alias["RevisionId"]))
        return found

    def releases(self) -> list[Release]:
        """The records of the bucket, newest first; one that can't be read is named and left out."""
        found = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="releases/"):
            for key in (entry["Key"] for entry in page.get("Contents", [])):
                try:
                    record = json.load(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"])
                    versions = {name: str(int(record["versions"][name])) for name in self.names}
                    model = f"{record['model_version']} ({record['model_digest']})"
                    if key != f"releases/{versions[self.api]}.json" or record["schema_version"] != 1:
                        raise ValueError
                except (ValueError, KeyError, TypeError):
                    print(
                        f"s3://{self.bucket}/{key}: not a record of a release of this stack; left out", file=sys.stderr
                    )
                    continue
                found.append(Release(int(versions[self.api]), versions, model, record))
        return sorted(found, reverse=True, key=lambda release: release.api_version)

    def first(self) -> Release:
        """The first deployment, for which no hook ran and no record was written."""
        return Release(1, dict.fromkeys(self.names, FIRST), "of the first deployment", None)
