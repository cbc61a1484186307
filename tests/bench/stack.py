"""What the deployed stack keeps whether anyone asks or not, counted in template.yaml, so that no sum drifts from it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parent.parent.parent / "template.yaml"
Resources = dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Stack:
    """What is paid for by the month."""

    keys: int  # customer's own, of KMS, before they are first rotated: each of two rotations adds as much
    alarms: int  # metrics that alarms watch: one with metric math counts each of its metrics
    dashboards: int
    snapshots: tuple[int, ...]  # MB of each function with SnapStart
    kept: int  # versions of a function that are there, each with its snapshot


def stack(template: Path = TEMPLATE) -> Stack:
    """Counted in this template."""
    found: Resources = read(template)["Resources"]
    functions = _of(found, "AWS::Serverless::Function")
    settings = [one.get("Environment", {}).get("Variables", {}) for one in functions]
    return Stack(
        keys=len(_of(found, "AWS::KMS::Key")),
        alarms=sum(_metrics(alarm) for alarm in _of(found, "AWS::CloudWatch::Alarm")),
        dashboards=len(_of(found, "AWS::CloudWatch::Dashboard")),
        snapshots=tuple(one["MemorySize"] for one in functions if _snapstart(one)),
        kept=next((int(one["KEPT"]) for one in settings if "KEPT" in one), 1),
    )


def read(template: Path = TEMPLATE) -> dict[str, Any]:
    """A template, each intrinsic function as what it is applied to."""
    return yaml.load(template.read_text(encoding="utf-8"), _Loader)


def _of(found: Resources, kind: str) -> list[dict[str, Any]]:
    return [one.get("Properties", {}) for one in found.values() if one["Type"] == kind]


def _snapstart(function: dict[str, Any]) -> bool:
    return function.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions"


def _metrics(alarm: dict[str, Any]) -> int:
    return sum("MetricStat" in one for one in alarm["Metrics"]) if "Metrics" in alarm else 1


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (`!Ref`, `!Sub`, …), which YAML knows nothing of, and runs nothing."""


def _applied_to(loader: _Loader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _applied_to)
