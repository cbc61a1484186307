"""Read a deployed stack: its aliases, running CodeDeploy deployments, and recorded releases."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import ClientError

ALIAS = "live"
FIRST_VERSION = "1"
RUNNING = ["Created", "Queued", "InProgress", "Baking", "Ready"]  # CodeDeploy's statuses of unfinished deployments
NEVER_MADE = {"REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}  # a first deployment not begun, or undone
VERSION = re.compile(r":function:([^:]+):([1-9][0-9]*)$")  # the end of a version's ARN


class Refused(Exception):
    """Refusal of a command: one line for the user, and the exit code."""

    def __init__(self, message: str, code: int = 3) -> None:
        super().__init__(message)
        self.code = code


class NoStack(Refused):
    """There is no such stack, or only one whose first deployment has not succeeded."""


class Alias(NamedTuple):
    """Alias `live` of one function, as it points now."""

    function: str
    version: str
    weights: dict[str, float]  # of other versions: a canary that runs or was left half way, or 1.0 after realign.py
    revision: str

    @property
    def serving(self) -> str:
        """Return the version that requests go to, or in a canary most of them."""
        return next((version for version, share in self.weights.items() if share == 1), self.version)

    def is_at(self, version: str) -> bool:
        """Return whether every request goes to this version."""
        return self.serving == version and all(share in (0, 1) for share in self.weights.values())


class Release(NamedTuple):
    """Versions that went live together."""

    api_version: int
    versions: dict[str, str]  # function → version
    model: str
    record: dict[str, Any] | None  # as it stands in the bucket; the first release has none

    @property
    def withdrawn(self) -> bool:
        """Return whether a rollback has left it."""
        return bool(self.record and self.record.get("withdrawn_at"))


class Stack:
    """Deployed stack: its outputs, and the clients of the services that hold its resources."""

    def __init__(self, name: str) -> None:
        session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        self.cloudformation, self.codedeploy = session.client("cloudformation"), session.client("codedeploy")
        self.functions, self.s3 = session.client("lambda"), session.client("s3")
        try:
            (description,) = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            message = error.response["Error"]["Message"]
            raise (NoStack if "does not exist" in message else Refused)(f"stack {name}: {message}", 2) from None
        if description["StackStatus"] in NEVER_MADE:
            raise NoStack(f"stack {name} is {description['StackStatus']}: nothing of it is live", 2)
        outputs = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
        if missing := {"FunctionName", "FunctionNames", "BucketName"} - outputs.keys():
            raise Refused(f"stack {name}: it has no output {', '.join(sorted(missing))}; is it one of Efemera's?", 2)
        self.name, self.status = name, description["StackStatus"]
        self.api, self.bucket = outputs["FunctionName"], outputs["BucketName"]
        self.gradual = outputs.get("DeploymentType", "AllAtOnce") != "AllAtOnce"
        self.names = sorted(
            outputs["FunctionNames"].split(","), key=lambda function: function != self.api
        )  # the API first

    def resources(self, resource_type: str) -> list[str]:
        """List the physical ids of the stack's resources of one type, without the deleted ones."""
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        return [
            resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == resource_type and not resource["ResourceStatus"].startswith("DELETE_")
        ]

    def versions(self) -> dict[str, str] | None:
        """Return function → the version that the stack itself names; None unless it names exactly one of each."""
        named = [match.groups() for arn in self.resources("AWS::Lambda::Version") if (match := VERSION.search(arn))]
        if sorted(function for function, _ in named if function in self.names) != sorted(self.names):
            return None
        return {function: version for function, version in named if function in self.names}

    def deployments(self) -> list[str]:
        """List the ids of the CodeDeploy deployments that have not ended."""
        ids: list[str] = []
        for group in self.resources("AWS::CodeDeploy::DeploymentGroup"):
            (application,) = self.resources("AWS::CodeDeploy::Application")
            request = {"applicationName": application, "deploymentGroupName": group, "includeOnlyStatuses": RUNNING}
            for page in self.codedeploy.get_paginator("list_deployments").paginate(**request):
                ids += page["deployments"]
        return ids

    def aliases(self) -> list[Alias]:
        """Read where the aliases point now, the API's first."""
        aliases = []
        for name in self.names:
            alias = self.functions.get_alias(FunctionName=name, Name=ALIAS)
            weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
            aliases.append(Alias(name, alias["FunctionVersion"], weights, alias["RevisionId"]))
        return aliases

    def releases(self) -> list[Release]:
        """Read the release records of the bucket, newest first; print and leave out one that can't be read."""
        releases = []
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
                releases.append(Release(int(versions[self.api]), versions, model, record))
        return sorted(releases, reverse=True, key=lambda release: release.api_version)

    def first_release(self) -> Release:
        """Return the first deployment, for which no hook ran and no record was written."""
        return Release(1, dict.fromkeys(self.names, FIRST_VERSION), "of the first deployment", None)
