"""Exports of the page: the shell's line, the CSV and the JSON say what the API says."""

import csv
import io
import json

import pytest

from tests.browser.visit import MADE

pytestmark = pytest.mark.browser


def listen(page):
    """Keep what the page sends from now on."""
    page.run(
        "window.sent = []; const before = window.fetch;"
        "window.fetch = (url, how) => {"
        "  window.sent.push([new URL(url, location).href, how.body]);"
        "  return before(url, how);"
        "};"
    )


def test_the_curl_line_is_the_very_request_on_screen(page):
    page.open()
    listen(page)
    page.choose("#horizon", 3)
    page.choose("#calendar", "BVMF")
    page.forecast()
    url, body = page.run("return window.sent.find(([url]) => url.endsWith('/predict'))")
    line = page.curl()
    assert (line[0], line[2], line[-1]) == ("curl", url, body)
    asked = json.loads(body)
    assert (asked["horizon"], asked["calendar"], asked["last_date"]) == (3, "BVMF", "2026-11-20")


def test_a_shell_gets_what_the_page_shows_and_what_it_downloads(page):
    page.open()
    answer = page.answer()
    assert page.downloaded("#json", "SHOCK.json") == answer
    assert page.text("#predicted") == f"{json.loads(answer)['predicted_price']:.2f}"


def test_a_name_with_quotes_passes_through_the_shell(page):
    page.open()
    rows = [
        f"""{name},2026-{1 + i // 28:02}-{1 + i % 28:02},{price}"""
        for name in ("it's $HOME `id`", "B")
        for i, price in enumerate(MADE)
    ]
    page.fill("\n".join(["ticker,date,close", *rows]))
    page.forecast()
    assert json.loads(page.answer())["forecasts"][0]["id"] == "it's $HOME `id`"


def test_many_series_are_a_line_that_the_shell_still_takes(page):
    page.open()
    rows = [
        f"S{one:04},2026-{1 + i // 28:02}-{1 + i % 28:02},{price}" for one in range(400) for i, price in enumerate(MADE)
    ]
    page.fill("\n".join(["ticker,date,close", *rows]))
    page.forecast()
    assert len(json.loads(page.answer())["forecasts"]) == 400


@pytest.mark.parametrize("example", ["shock", "several"])
def test_the_csv_holds_every_number_of_the_answer(page, example):
    page.open()
    page.click(f"[data-example={example}]")
    page.wait(lambda: bool(page.finds("#series")) is (example == "several"))
    page.settled()
    answer = json.loads(page.answer())
    forecasts = answer.get("forecasts", [{"id": "SHOCK", **answer}])
    text = page.downloaded("#csv", "forecasts.csv" if example == "several" else "SHOCK.csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [
        "unique_id", "ds", "cutoff", "step", "efemera", "efemera-lo-95", "efemera-lo-80", "efemera-lo-50",
        "efemera-hi-50", "efemera-hi-80", "efemera-hi-95",
    ]  # fmt: skip
    expected = [
        [one["id"], step["date"], "2026-11-20", step["step"], step["median"]]
        + [step["intervals"][level][0] for level in ("95", "80", "50")]
        + [step["intervals"][level][1] for level in ("50", "80", "95")]
        for one in forecasts
        for step in one["steps"]
    ]
    assert [
        [row["unique_id"], row["ds"], row["cutoff"], int(row["step"]), *map(float, list(row.values())[4:])]
        for row in rows
    ] == expected


def test_the_line_can_be_copied(page):
    page.open()
    page.tell("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.click("#use .section-head:nth-of-type(2) button")
    page.wait(lambda: page.text("#use .section-head:nth-of-type(2) button") == "Copied")
    copied = page.browser.execute_async_script("navigator.clipboard.readText().then(arguments[0], String)")
    assert copied == page.run("return document.getElementById('curl').textContent")
