"""The page of GET /docs: all that the server's own description holds, and requests that work as shown."""

import json
import subprocess
import urllib.request

import pytest

pytestmark = pytest.mark.browser


def description(address):
    with urllib.request.urlopen(f"{address}/openapi.json", timeout=30) as answer:
        return json.load(answer)


def test_every_operation_and_every_type_is_on_it(page, server):
    page.open("/docs")
    document = description(server)
    operations = {
        operation["operationId"] for methods in document["paths"].values()
        for method, operation in methods.items() if method in ("get", "post")
    }  # fmt: skip
    assert {one.get_attribute("id") for one in page.finds(".operation")} == operations
    assert {one.get_attribute("id") for one in page.finds(".schema")} == {
        f"type-{name}" for name in document["components"]["schemas"]
    }
    links = page.run(
        "return [...document.querySelectorAll('a[href^=\"#\"]')].map((link) => link.getAttribute('href').slice(1))"
    )
    assert [link for link in links if not page.run("return Boolean(document.getElementById(arguments[0]))", link)] == []


def test_the_lines_shown_work_in_a_shell(page):
    page.open("/docs")
    lines = page.run(
        "return [...document.querySelectorAll('.operation pre.code')]"
        ".map((one) => one.textContent).filter((text) => text.startsWith('curl '))"
    )
    assert len(lines) > 10
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", f"{line} -o /dev/null -w '%{{http_code}}'"], capture_output=True, text=True, check=True
        )
        assert done.stdout == "200", line


def test_a_request_can_be_tried(page):
    page.open("/docs")
    page.click("#predict details:last-of-type summary")
    page.click("#predict .try button")
    page.wait(lambda: "Status 200" in page.text("#predict .try [role=status]"))
    assert "predicted_price" in page.text("#predict .try [role=status]")
