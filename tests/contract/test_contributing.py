"""CONTRIBUTING.md and the templates for those who contribute say what is there."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_path_and_target_it_names_is_there():
    paths = re.findall(r"`((?:export|lambda_fn|infra|tests|models|docs|\.ci)/[\w./-]*|[\w-]+\.(?:toml|yaml))`", TEXT)
    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []
    targets = set(re.findall(r"\bmake ([a-z-]+)", TEXT)) - {"it"}
    assert targets <= set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.M))


def test_a_commit_is_checked_by_what_make_check_runs():
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    entries = [hook["entry"] for hook in local["hooks"] if hook["entry"].startswith(".venv/")]
    recipe = re.search(r"^check: .*\n((?:\t.*\n)+)", MAKEFILE, re.M)[1].replace("$(BIN)", ".venv/bin")
    assert entries == [line.strip().removesuffix(" .") for line in recipe.splitlines()]


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_a_form_for_issues_has_what_github_asks_for(name):
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text(encoding="utf-8"))
    assert form.keys() >= {"name", "description", "body"}
    assert len({field["id"] for field in form["body"]}) == len(form["body"])
    for field in form["body"]:
        assert field["type"] in {"textarea", "input", "dropdown"}
        assert field["attributes"]["label"]
