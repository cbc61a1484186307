"""axe-core finds nothing serious on either page, in light and dark, English and Portuguese, desktop and phone."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parent / "axe.min.js").read_text(encoding="utf-8")
WEIGHTY = ("serious", "critical")


def violations(page):
    page.run(AXE)
    found = page.browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, {resultTypes: ['violations']})"
        ".then((result) => done(result.violations), (error) => done(String(error)));"
    )
    assert isinstance(found, list), found
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found if one["impact"] in WEIGHTY]


@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.parametrize("language", ["en", "pt"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_stands_in_anyones_way(page, path, language, theme):
    page.prefer(prefers_color_scheme=theme, prefers_reduced_motion="reduce")
    page.open(path)
    page.click(f"[data-language={language}]")
    page.wait(lambda: path == "/docs" or page.finds("#heat canvas"))
    for summary in page.finds("details summary"):
        page.run("arguments[0].click()", summary)
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nor_with_several_series_a_fault_and_a_question_on_a_phone(page, theme):
    page.prefer(prefers_color_scheme=theme, prefers_reduced_motion="reduce")
    page.narrow(390)
    page.open()
    page.click("[data-example=several]")
    page.wait(lambda: page.finds("#series"))
    page.settled()
    page.fill("1,234\n1,240")
    page.click("#go")
    assert page.fault()
    assert page.text("#stale")
    assert violations(page) == []


def test_it_would_find_something(page):
    page.open()
    page.run("document.querySelector('label[for=prices]').remove(); document.getElementById('prices').placeholder = ''")
    assert "label" in {name for name, _ in violations(page)}
