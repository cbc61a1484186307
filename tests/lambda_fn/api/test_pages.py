"""The two pages as the API sends them: one file each, built from these sources, with a policy that lets nothing in."""

import base64
import gzip
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lambda_fn.api import pages
from lambda_fn.api.handler import handler
from tests.lambda_fn.conftest import Context, event

ROOT = Path(__file__).parent.parent.parent.parent
SOURCES = ROOT / "infra" / "page"
PATHS = {"/": "index.html", "/docs": "docs.html"}
LARGEST = 150_000  # bytes, packed

every_page = pytest.mark.parametrize("path", PATHS)


def get(path, *, method="GET", **headers):
    asked = event(path=path, method=method)
    asked["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
    response = handler(asked, Context())
    return response["statusCode"], {name.lower(): value for name, value in response["headers"].items()}, response


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.response = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.response.append((tag, dict(attrs)))


def built(name):
    return (pages.FOLDER / name).read_text(encoding="utf-8")


@every_page
def test_a_page_is_html_that_names_its_request_and_is_asked_for_each_time(path):
    status, headers, response = get(path)
    assert (status, response["body"]) == (200, built(PATHS[path]))
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-request-id"] == "request-1"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in headers
    assert get(path, method="HEAD")[0] == 200


@every_page
def test_a_page_is_packed_for_who_takes_gzip_and_small(path):
    _, headers, response = get(path, accept_encoding="gzip, br")
    packed = base64.b64decode(response["body"])
    assert (headers["content-encoding"], headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(packed).decode() == built(PATHS[path])
    assert len(packed) < LARGEST


@every_page
def test_a_browser_that_has_the_page_is_not_sent_it_again(path):
    _, headers, _ = get(path)
    status, again, response = get(path, if_none_match=headers["etag"])
    assert (status, response["body"]) == (304, "")
    assert again["content-security-policy"] == headers["content-security-policy"]
    assert get(path, if_none_match='W/"another"')[0] == 200


def test_the_two_pages_differ_in_their_tags():
    assert get("/")[1]["etag"] != get("/docs")[1]["etag"]


@every_page
def test_the_policy_allows_the_pages_own_script_and_style_by_hash_and_its_own_server(path):
    policy = get(path)[1]["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    text = built(PATHS[path])
    for kind in ("script", "style"):
        [inlined] = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()
        assert rules.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_another_script_has_another_policy():
    text = built("index.html")
    assert pages.policy(text.replace("<script>", "<script>0;")) != pages.policy(text)


@every_page
def test_a_page_is_one_file_that_asks_for_nothing_elsewhere(path):
    text = built(PATHS[path])
    for tag, attributes in Tags(text).response:
        assert tag not in ("img", "iframe", "object", "embed", "base"), tag
        assert "src" not in attributes, tag
        assert "style" not in attributes, "a style attribute needs unsafe-inline"
        assert not [name for name in attributes if name.startswith("on")], "a handler needs unsafe-inline"
        if tag == "link":
            assert attributes["rel"] == "icon"
            assert attributes["href"].startswith("data:")
    assert set(re.findall(r"https?://[^\s\"'`)<]+", text)) <= {"http://www.w3.org/2000/svg"}


def digest_of(sources):
    """As build.js computes it."""
    names = [
        "build.js",
        "package-lock.json",
        "package.json",
        *(f"src/{path.name}" for path in (sources / "src").iterdir()),
    ]
    response = hashlib.sha256()
    for name in sorted(names):
        response.update(name.encode() + b"\0" + (sources / name).read_bytes() + b"\0")
    return response.hexdigest()


def digest_in(text):
    return re.search(r'<meta name="efemera-sources" content="([0-9a-f]{64})">', text)[1]


@every_page
def test_the_committed_pages_are_built_from_these_sources(path):
    assert digest_in(built(PATHS[path])) == digest_of(SOURCES), "run `make page`"


def test_a_change_of_any_source_is_noticed(tmp_path):
    copy = shutil.copytree(SOURCES, tmp_path / "page", ignore=shutil.ignore_patterns("node_modules"))
    for path in [copy / "build.js", copy / "package-lock.json", *(copy / "src").iterdir()]:
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        assert digest_of(copy) != digest_in(built("index.html")), path.name
        path.write_bytes(before)
    assert digest_of(copy) == digest_in(built("index.html"))


def test_what_the_pages_are_built_of_is_pinned_and_its_licences_are_there():
    package = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((SOURCES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert "dependencies" not in package
    for name, version in package["devDependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is not pinned"
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all(one.get("integrity") for path, one in lock.items() if path), "no hash of its content"
    axe = (ROOT / "tests" / "browser" / "axe.min.js").read_text(encoding="utf-8")
    assert axe.startswith(f"/*! axe v{package['devDependencies']['axe-core']}\n")
    licences = (pages.FOLDER / "LICENSES.txt").read_text(encoding="utf-8")
    for name in ("uplot", "papaparse"):
        assert f"{name} {package['devDependencies'][name]}\n" in licences
    assert licences.count("Permission is hereby granted") == 2
