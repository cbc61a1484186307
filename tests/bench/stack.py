"""Count in template.yaml what is paid for by the month whether anyone asks or not, so that no sum drifts from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

TEMPLATE = Path(__file__).parent.parent.parent / "template.yaml"


class Stack(NamedTuple):
    """Resources that are paid for by the month."""

    keys: int  # customer's own, of KMS, before they are first rotated: each of two rotations adds as much
    alarms: int  # metrics that alarms watch: one with metric math counts each of its metrics
    dashboards: int
    snapshots: tuple[int, ...]  # MB of each function with SnapStart
    kept: int  # versions of a function that are there, each with its snapshot


def stack(template: Path = TEMPLATE) -> Stack:
    """Count the resources of this template."""
    resources = read(template)["Resources"].values()

    def of(kind: str) -> list[dict[str, Any]]:
        return [one.get("Properties", {}) for one in resources if one["Type"] == kind]

    functions = of("AWS::Serverless::Function")
    settings = [one.get("Environment", {}).get("Variables", {}) for one in functions]
    watched = [alarm.get("Metrics", [{"MetricStat": alarm}]) for alarm in of("AWS::CloudWatch::Alarm")]
    return Stack(
        keys=len(of("AWS::KMS::Key")),
        alarms=sum("MetricStat" in metric for metrics in watched for metric in metrics),
        dashboards=len(of("AWS::CloudWatch::Dashboard")),
        snapshots=tuple(
            one["MemorySize"] for one in functions if "PublishedVersions" in one.get("SnapStart", {}).values()
        ),
        kept=next((int(one["KEPT"]) for one in settings if "KEPT" in one), 1),
    )


def read(template: Path = TEMPLATE) -> dict[str, Any]:
    """Read a template, each intrinsic function (`!Ref`, `!Sub`, …) as what it is applied to; nothing in it is run."""
    return yaml.load(template.read_text(encoding="utf-8"), _Loader)


class _Loader(yaml.SafeLoader):
    """YAML and CloudFormation's short forms."""


def _applied_to(loader: _Loader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _applied_to)
