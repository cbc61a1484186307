"""samconfig.toml: what `make deploy ENV=…` hands to the template, which must be able to take it."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from tests.bench.stack import read
from tests.infra.conftest import ROOT

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
ENVIRONMENTS = ("default", "dev", "prod")


PARAMETERS: dict[str, dict[str, Any]] = read()["Parameters"]


def deployment(environment: str) -> dict[str, Any]:
    return CONFIG[environment]["deploy"]["parameters"]


def overrides(environment: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in deployment(environment)["parameter_overrides"])


def refused(parameters: dict[str, dict[str, Any]], given: dict[str, str]) -> set[str]:
    """The names among `given` that no parameter has, or whose value it would not take."""
    bad = set()
    for name, value in given.items():
        parameter = parameters.get(name)
        if (
            parameter is None
            or value not in map(str, parameter.get("AllowedValues", [value]))
            or not re.fullmatch(parameter.get("AllowedPattern", ".*"), value)
            or (parameter["Type"] == "Number" and not in_range(parameter, value))
        ):
            bad.add(name)
    return bad


def in_range(parameter: dict[str, Any], value: str) -> bool:
    low, high = parameter.get("MinValue", float("-inf")), parameter.get("MaxValue", float("inf"))
    return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None and low <= float(value) <= high


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_override_is_a_parameter_of_the_template_with_a_value_it_takes(environment):
    assert refused(PARAMETERS, overrides(environment)) == set()


def test_a_plain_sam_deploy_goes_to_dev():
    assert deployment("default") == deployment("dev")


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_an_environment_has_a_stack_of_its_own_which_make_names_alike(environment):
    given = deployment(environment)
    assert given["stack_name"] == given["s3_prefix"] == f"efemera-{environment}"
    assert f"environment={environment}" in given["tags"]
    assert "STACK ?= efemera-$(ENV)\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_failed_deployment_undoes_itself_and_one_without_changes_is_none(environment):
    given = deployment(environment)
    assert given["disable_rollback"] is False
    assert given["fail_on_empty_changeset"] is False
    assert given["capabilities"] == ["CAPABILITY_IAM"]  # no role has a name of its own


def test_production_asks_before_it_changes_and_takes_a_canary():
    assert deployment("prod")["confirm_changeset"] is True
    assert overrides("prod")["DeploymentType"].startswith("Canary")


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_no_environment_is_open(environment):
    assert not overrides(environment).keys() & {"PublicAccess"}
    assert PARAMETERS["PublicAccess"]["Default"] == "closed"


def test_packages_are_built_in_place():
    assert CONFIG["default"]["build"]["parameters"] == {"build_in_source": True, "parallel": True}
