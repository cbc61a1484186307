"""The page of GET /: it loads, shows a forecast, and every picture tells of the same day."""

import json
import re

import pytest
from selenium.webdriver.common.keys import Keys

from export.conversion.convert import export_bundle
from export.training.config import Config
from tests.browser.conftest import MODELS, chromium
from tests.browser.visit import Visit
from tests.export.conftest import stirred
from tests.export.local.test_server import serving

pytestmark = pytest.mark.browser
PICTURES = ("#chart", "#bars", "#heat")


def number(text):
    return float(text.replace(",", ""))


def test_it_opens_with_an_example_forecast_and_the_models_verdict(page):
    page.open()
    predicted = page.text("#predicted")
    assert number(predicted) == round(json.loads(page.answer())["predicted_price"], 2)
    assert "not proven better than" in page.text("#verdict")
    assert page.browser.title == "Efemera: a forecast with its doubt"
    assert page.run("return document.cookie") == ""
    assert not re.search(r"\d\d\.\d", page.run("return JSON.stringify(localStorage)"))


@pytest.mark.parametrize("name", ["shock", "calm", "several"])
def test_each_example_is_forecast_with_one_press(page, name):
    page.open()
    page.run("document.getElementById('found').replaceChildren()")
    page.click(f"[data-example={name}]")
    page.settled()
    assert number(page.text("#predicted")) > 0
    assert page.fault() == ""


def test_several_series_go_in_one_request_and_each_can_be_shown(page):
    page.open()
    page.click("[data-example=several]")
    page.wait(lambda: page.finds("#series"))
    page.settled()
    assert [one["id"] for one in page.asked()["series"]] == ["CALM", "SHOCK", "WILD", "FALL"]
    assert len(page.finds("#series tbody tr")) == 4
    page.click("[data-series='2']")
    page.settled()
    assert page.text("h2.name") == "WILD"
    assert number(page.text("#predicted")) > 500
    assert page.focused() == "series-2"


def test_one_bad_series_of_several_is_told_beside_the_forecasts_of_the_others(page):
    page.open()
    rows = [f"GOOD,2026-{1 + day // 28:02}-{1 + day % 28:02},{40 + day % 7}" for day in range(60)]
    page.fill("\n".join(["ticker,date,close", *rows, "SHORT,2026-03-04,7"]))
    page.forecast()
    assert "must hold 60 to 5000 numbers, holds 1" in page.text("#series tr.refused")
    assert page.text("h2.name") == "GOOD"


def test_a_day_pointed_at_in_any_picture_is_told_and_marked_in_all(page):
    page.open()
    prices = page.asked()["prices"]
    for picture, share in zip(PICTURES, (0.3, 0.5, 0.7), strict=True):
        page.hover(picture, share)
        days = {page.find(one).get_attribute("aria-valuenow") for one in PICTURES}
        assert len(days) == 1
        day = int(days.pop()) - 1
        assert f"close {prices[day]:.2f}" in page.text("#readout")
        assert "forget gate" in page.text("#readout")
        places = page.run(
            "return [...document.querySelectorAll('.crosshair')].map((line) => line.getBoundingClientRect().x)"
        )
        assert max(places) - min(places) < 1
    assert "unit " in page.text("#readout")


def test_a_day_ahead_tells_its_median_and_its_intervals(page):
    page.open()
    page.hover("#chart", 0.96)
    said = page.text("#readout")
    assert all(part in said for part in ("median", "95%", "80%", "50%", "naive"))
    page.click("[data-level='95']")
    page.hover("#chart", 0.9)
    page.hover("#chart", 0.96)
    assert "95%" not in page.text("#readout")


def test_an_interval_that_is_switched_off_leaves_the_chart(page):
    page.open()

    def tallest():
        return page.run("return document.querySelector('#chart canvas').toDataURL()")

    before = tallest()
    page.click("[data-level='95']")
    page.wait(lambda: page.finds("#chart canvas") and tallest() != before)


def test_gates_layers_and_what_the_days_added_can_be_chosen(page):
    page.open()
    seen = set()
    for layer in (0, 1):
        for gate in ("forget", "input", "output", "candidate", "cell", "hidden"):
            page.choose("#layer", layer)
            page.choose("#gate", gate)
            seen.add(page.run("return document.querySelector('#heat canvas').toDataURL()"))
    assert len(seen) == 12
    assert "hidden state, layer 2" in page.find("#heat").get_attribute("aria-label")
    bars = page.run("return document.querySelector('#bars canvas').toDataURL()")
    page.choose("#measure", "median")
    assert page.run("return document.querySelector('#bars canvas').toDataURL()") != bars


def test_the_keyboard_alone_is_enough(page):
    page.open()
    # From the page's beginning, wherever a click before has left the place that Tab goes on from.
    page.run("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    way = []
    while "json" not in way:
        page.keys(Keys.TAB)
        way.append(page.focused())
        assert len(way) < 60, way
    wanted = [
        "prices",
        "file",
        "horizon",
        "last-date",
        "calendar",
        "go",
        "chart",
        "measure",
        "bars",
        "layer",
        "gate",
        "heat",
        "csv",
    ]
    assert [one for one in dict.fromkeys(way) if one in wanted] == wanted
    page.find("#prices").send_keys(Keys.CONTROL, "a")
    page.keys(*"\n".join(str(40 + day % 7) for day in range(60)))
    page.find("#prices").send_keys(Keys.CONTROL, Keys.ENTER)
    page.wait(lambda: page.text("h2.name") == "your prices")
    page.settled()
    page.run("document.getElementById('heat').focus()")
    page.keys(Keys.ARROW_LEFT)
    first = page.find("#heat").get_attribute("aria-valuetext")
    page.keys(Keys.ARROW_LEFT, Keys.ARROW_DOWN)
    second = page.find("#heat").get_attribute("aria-valuetext")
    assert first != second
    assert "unit " in second
    assert second.replace(", ", "").replace(" ", "") in page.text("#readout").replace("\n", "").replace(" ", "")


def test_it_has_the_forecast_in_words_and_as_a_table(page):
    page.open()
    words = page.find("#summary").get_attribute("textContent")
    assert "with 80 percent probability the close lies between" in words
    assert page.find("#summary").get_attribute("role") == "status"
    assert page.find("#readout").get_attribute("aria-live") == "polite"
    page.click("#chart ~ details summary")
    assert len(page.finds("#chart ~ details tbody tr")) == 5
    page.choose("#horizon", 2)
    page.forecast()
    assert len(page.finds("#chart ~ details tbody tr")) == 2


def test_a_change_after_the_answer_is_told(page):
    page.open()
    assert not page.find("#stale").is_displayed()
    page.choose("#horizon", 3)
    assert "have changed since" in page.text("#stale")
    page.forecast()
    assert not page.find("#stale").is_displayed()


def test_it_speaks_the_browsers_language(server, tmp_path):
    with chromium("--lang=pt-BR", preferences={"intl.accept_languages": "pt-BR,pt,en"}) as browser:
        page = Visit(browser, server, tmp_path).open()
        assert page.run("return navigator.languages[0]") == "pt-BR"
        assert page.text("#go") == "Prever"
        assert page.find("html").get_attribute("lang") == "pt-BR"
        assert "Não está provado que o seu preço seja melhor" in page.text("#verdict")
        assert re.fullmatch(r"\d+,\d\d", page.text("#predicted"))
        page.click("[data-language=en]")
        assert page.text("#go") == "Forecast"
        page.open("/docs")
        assert page.text("h1") == "API reference"  # the choice goes with the reader
        page.click("[data-language=pt]")
        assert page.text("h1") == "Referência da API"
        page.check_console()


def brightness(page):
    colour = page.run("return getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3


def test_it_is_dark_where_the_browser_is_and_where_one_asks(page):
    page.prefer(prefers_color_scheme="dark")
    page.open()
    assert brightness(page) < 40
    drawn = page.run("return document.querySelector('#chart canvas').toDataURL()")
    page.choose("#theme", "light")
    assert brightness(page) > 200
    assert page.run("return document.querySelector('#chart canvas').toDataURL()") != drawn
    page.open("/docs")
    assert brightness(page) > 200
    page.choose("#theme", "auto")
    assert brightness(page) < 40


def test_nothing_moves_for_who_wants_no_motion(page):
    page.prefer(prefers_reduced_motion="reduce")
    page.open()
    assert page.run("return getComputedStyle(document.getElementById('go')).transitionDuration") == "0s"


@pytest.mark.parametrize("width", [360, 390, 768])
def test_it_fits_a_phone(page, width):
    page.narrow(width)
    page.open()
    assert page.fits()
    page.click("[data-example=several]")
    page.wait(lambda: page.finds("#series"))
    page.settled()
    for summary in page.finds("details summary"):
        page.run("arguments[0].click()", summary)
    assert page.fits()
    page.open("/docs")
    for summary in page.finds("details summary"):
        page.run("arguments[0].click()", summary)
    assert page.fits()


@pytest.mark.parametrize("path", ["", "/"])
def test_it_works_behind_a_base_path_with_a_slash_or_without(english, tmp_path, path):
    with serving(MODELS, "--base-path", "/prod") as (address, _):
        page = Visit(english, address, tmp_path)
        page.reset()
        page.open(path)
        assert page.curl()[2] == f"{address}/predict"
        page.click("#to-docs")
        page.wait(lambda: page.finds("#reference[aria-busy=false]"))
        assert page.browser.current_url == f"{address}/docs"
        page.click("#to-page")
        page.settled()
        page.check_console()


def test_another_model_of_another_cell_and_window_is_shown_as_well(english, tmp_path):
    network = stirred(Config(hidden_size=7, cell="gru", window=90, horizon=3))
    export_bundle(network, {}, tmp_path / "model", model_version="another")
    with serving(tmp_path / "model") as (address, _):
        page = Visit(english, address, tmp_path)
        page.reset()
        page.open()
        assert len(page.asked()["prices"]) == 90
        assert page.find("#horizon").get_property("length") == 3
        assert "nobody has measured this model" in page.text("#verdict").lower()
        gates = page.run("return [...document.getElementById('gate').options].map((option) => option.value)")
        assert gates == ["reset", "update", "candidate", "hidden"]
        page.hover("#heat", 0.5)
        assert "reset gate" in page.text("#readout")
        page.check_console()
