"""The OpenAPI document: current, whole, its examples work, and the real server does nothing that it does not say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from lambda_fn.api.handler import forecaster, handler, routes
from tests.export.local.test_server import serving
from tests.lambda_fn.conftest import Context, event

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = json.loads((ROOT / "lambda_fn" / "api" / "openapi.json").read_text(encoding="utf-8"))
VERSION = forecaster.manifest.model_version
OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if method != "parameters"
]


def valid(value, schema):
    """Check a value against a schema of the document."""
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def test_the_committed_document_is_what_the_types_say():
    command = [sys.executable, ROOT / "infra" / "openapi.py", "--check"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_every_path_and_method_of_the_api_is_in_it_and_no_other():
    documented: dict[str, set[str]] = {}
    for path, method, _ in OPERATIONS:
        documented.setdefault(path.replace("{version}", VERSION), set()).add(method.upper())
    assert documented == {path: set(methods) for path, methods in routes.items()}


def test_every_refusal_of_the_api_is_in_it():
    from lambda_fn.api.problem_details import KINDS

    assert set(DOCUMENT["components"]["responses"]) == {str(status) for status in KINDS}
    named = {status for _, _, operation in OPERATIONS for status in operation["responses"]}
    assert named == {"200", "304", *DOCUMENT["components"]["responses"]}  # 304 is of the two pages


@pytest.mark.parametrize("path", [path for path, method, _ in OPERATIONS if method == "post"])
def test_its_examples_fit_their_schemas_and_are_answered_as_shown(path):
    operation = DOCUMENT["paths"][path]["post"]
    asked = operation["requestBody"]["content"]["application/json"]
    shown = operation["responses"]["200"]["content"]["application/json"]
    assert asked["examples"].keys() == shown["examples"].keys()
    for name, example in asked["examples"].items():
        valid(example["value"], asked["schema"])
        found = handler(event(example["value"], path=path.replace("{version}", VERSION)), Context())
        assert found["statusCode"] == 200
        answer = json.loads(found["body"])
        valid(answer, shown["schema"])
        same(answer, shown["examples"][name]["value"], near=6e-4 if path == "/explain" else 0)


def same(found, shown, near=0):
    """Equal but for the digits that an example leaves out, and the request's id."""
    if isinstance(shown, float):
        assert found == pytest.approx(shown, rel=1e-5, abs=near)
    elif isinstance(shown, list):
        assert len(found) == len(shown)
        for one, other in zip(found, shown, strict=True):
            same(one, other, near)
    elif isinstance(shown, dict):
        assert found.keys() == shown.keys()
        for key in shown.keys() - {"instance"}:
            same(found[key], shown[key], near)
    else:
        assert found == shown


def test_the_refusal_that_it_shows_fits_its_schema():
    problem = DOCUMENT["components"]["responses"]["422"]["content"]["application/problem+json"]
    valid(problem["examples"]["wrong"]["value"], problem["schema"])
    assert [fault["pointer"] for fault in problem["examples"]["wrong"]["value"]["errors"]] == ["/prices/3", "/horizon"]


def test_every_answer_without_a_body_fits_its_schema():
    for path, method, operation in OPERATIONS:
        if method == "get":
            found = handler(event(path=path.replace("{version}", VERSION), method="GET"), Context())
            [(kind, content)] = operation["responses"]["200"]["content"].items()
            valid(json.loads(found["body"]) if kind == "application/json" else found["body"], content["schema"])


def test_schemathesis_finds_nothing_in_all_its_checks(tmp_path):
    """Every check it has, against the real server over HTTP, behind a base path."""
    command = [  # one worker: in CPython 3.11 two threads can't parse at once (gh-106905)
        *(Path(sys.executable).with_name("st"), "run", "--checks", "all", "--seed", "1", "--no-color"),
        *("--max-examples", "20", "--warnings", "off", "--workers", "1"),
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.contract.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    with serving(ROOT / "models", "--base-path", "/prod") as (address, _):
        assert address.endswith("/prod")
        done = subprocess.run(
            [*command, f"{address}/openapi.json"],
            cwd=tmp_path, env={**os.environ, **hooks}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    others = len(OPERATIONS) - 1  # all but the one that gave it the document
    assert f"{others} selected / {others} total" in done.stdout
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated
    assert int(generated[1]) > 500
