"""The translated template as a stack would have it: parameters filled in, conditions decided, intrinsics resolved.

Written from CloudFormation's reference, as an own reading of it: of a resource `Ref` is its logical id and `GetAtt` is
`LogicalId.Attribute`.
"""

from __future__ import annotations

import json
import re
from typing import Any

PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "efemera",
    "AWS::URLSuffix": "amazonaws.com",
}
ABSENT = object()  # what AWS::NoValue becomes, and then goes


class Stack:
    """A template with values for its parameters; what is not given has its default."""

    def __init__(self, template: dict[str, Any], **parameters: str) -> None:
        unknown = parameters.keys() - template["Parameters"].keys()
        assert not unknown, f"no such parameters: {unknown}"
        self._template = template
        self._values: dict[str, Any] = dict(PSEUDO)
        for name, parameter in template["Parameters"].items():
            value = str(parameters.get(name, parameter.get("Default", "")))
            allowed = parameter.get("AllowedValues")
            assert not allowed or value in map(str, allowed), f"{name} may not be {value!r}"
            if "AllowedPattern" in parameter:
                assert re.fullmatch(parameter["AllowedPattern"], value), f"{name} may not be {value!r}"
            self._values[name] = value.split(",") if parameter["Type"] == "CommaDelimitedList" else value
        self.resources = {
            name: self.resolve(resource)
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self.holds({"Condition": resource["Condition"]})
        }
        self.outputs = {
            name: self.resolve(output["Value"])
            for name, output in template["Outputs"].items()
            if "Condition" not in output or self.holds({"Condition": output["Condition"]})
        }

    def __getitem__(self, name: str) -> dict[str, Any]:
        """The properties of a resource."""
        return self.resources[name]["Properties"]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties of the resources of one type, by their logical ids."""
        return {name: found["Properties"] for name, found in self.resources.items() if found["Type"] == kind}

    def refused(self) -> list[str]:
        """List the template's objections to these parameters, before anything is made."""
        found = []
        for rule in self._template.get("Rules", {}).values():
            if "RuleCondition" in rule and not self.holds(rule["RuleCondition"]):
                continue
            found += [one["AssertDescription"] for one in rule["Assertions"] if not self.holds(one["Assert"])]
        return found

    def holds(self, condition: Any) -> bool:
        """Return whether a condition is true."""
        ((kind, of),) = condition.items()
        if kind == "Condition":
            return self.holds(self._template["Conditions"][of])
        if kind == "Fn::Not":
            return not self.holds(of[0])
        if kind in ("Fn::And", "Fn::Or"):
            return (all if kind == "Fn::And" else any)(self.holds(one) for one in of)
        assert kind == "Fn::Equals", kind
        first, second = (self.resolve(one) for one in of)
        return str(first) == str(second)

    def resolve(self, value: Any) -> Any:
        """A value without intrinsics."""
        if isinstance(value, list):
            found = [self.resolve(one) for one in value]
            return [one for one in found if one is not ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((kind, of),) = value.items()
            if kind == "Ref":
                return ABSENT if of == "AWS::NoValue" else self._values.get(of, of)
            if kind.startswith("Fn::"):
                return self._called(kind, of)
        found = {key: self.resolve(one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one is not ABSENT}

    def _called(self, kind: str, of: Any) -> Any:
        if kind == "Fn::GetAtt":
            return ".".join(of)
        if kind == "Fn::If":
            return self.resolve(of[1] if self.holds({"Condition": of[0]}) else of[2])
        if kind == "Fn::Join":
            return of[0].join(map(str, self.resolve(of[1])))
        if kind == "Fn::Split":
            return self.resolve(of[1]).split(of[0])
        assert kind == "Fn::Sub", kind
        text, names = (of, {}) if isinstance(of, str) else of

        def put(found: re.Match[str]) -> str:
            name = found[1]
            if name in names:
                return str(self.resolve(names[name]))
            return str(self._values.get(name, name))

        return re.sub(r"\$\{([\w.:]+)\}", put, text)


def listed(value: Any) -> list[Any]:
    """Return as a list what IAM takes as one or as several."""
    return value if isinstance(value, list) else [value]


def allowed(stack: Stack, role: str) -> dict[str, set[str]]:
    """List what a role or a managed policy may do, on what."""
    found: dict[str, set[str]] = {}
    properties = stack[role]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
    assert documents, f"{role} may do nothing"
    for document in documents:
        for statement in document["Statement"]:
            assert statement["Effect"] == "Allow"
            for action in listed(statement["Action"]):
                found.setdefault(action, set()).update(listed(statement["Resource"]))
    return found


def dashboard(stack: Stack) -> dict[str, Any]:
    """The body of the stack's dashboard."""
    [one] = stack.of("AWS::CloudWatch::Dashboard").values()
    return json.loads(one["DashboardBody"])
