"""Input as people put it into the field: read as they mean it, asked about, or refused at the field and kept."""

import pytest

from tests.browser.visit import MADE, Visit
from tests.export.local.test_server import serving

from .conftest import MODELS

pytestmark = pytest.mark.browser
LINES = "\n".join(map(str, MADE))
COMMAS = "\n".join(f"{price:.2f}".replace(".", ",") for price in MADE)
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


def table(name, prices=MADE, day="2026-{month:02}-{day:02}", mark=","):
    rows = [
        f"{name}{mark}{day.format(month=1 + i // 28, day=1 + i % 28)}{mark}{price}" for i, price in enumerate(prices)
    ]
    return "\n".join([mark.join(("ticker", "date", "close")), *rows])


@pytest.mark.parametrize(
    "text", [LINES, COMMAS, ", ".join(map(str, MADE)), " ".join(map(str, MADE)), f"[{','.join(map(str, MADE))}]"]
)
def test_prices_that_are_pasted_are_forecast_at_once(page, text):
    page.open()
    page.paste(text)
    page.wait(lambda: page.text("h2.name") == "your prices")
    page.settled()
    assert page.asked()["prices"] == MADE
    assert "60 closes read" in page.text("#read")
    assert page.fault() == ""


def test_decimal_commas_are_read_and_told(page):
    page.open()
    page.fill(COMMAS)
    assert "comma before decimals" in page.text("#question-numbers")
    page.forecast()
    assert page.asked()["prices"] == MADE


def test_thousands_are_read_in_both_ways_of_writing(page):
    page.open()
    for write in (lambda price: f"{price:,.2f}", lambda price: f"{price:,.2f}".translate(str.maketrans(",.", ".,"))):
        page.fill("\n".join(write(1000 * price + 0.25) for price in MADE))
        page.forecast()
        assert page.asked()["prices"] == [pytest.approx(1000 * price + 0.25) for price in MADE]


def test_what_can_be_read_in_two_ways_is_asked_and_the_answer_used(page):
    page.open()
    page.fill("\n".join(f"1,{200 + day}" for day in range(60)))
    assert "How is 1,200 meant?" in page.text("#question-numbers")
    page.click("#go")
    assert "Please say which" in page.fault()
    assert page.focused() == "prices"
    page.click("#question-numbers input[value=dot]")
    page.forecast()
    assert page.asked()["prices"][:2] == [1200, 1201]
    page.click("#question-numbers input[value=comma]")
    page.forecast()
    assert page.asked()["prices"][:2] == [1.2, 1.201]


@pytest.mark.parametrize(
    ("day", "last"),
    [
        ("{day:02}/{month:02}/2026", "2026-03-04"),
        ("{month:02}/{day:02}/2026", "2026-03-04"),
        ("2026-{month:02}-{day:02}", "2026-03-04"),
    ],
)
def test_dates_are_read_in_either_order(page, day, last):
    page.open()
    page.fill(table("PETR4", day=day))
    page.forecast()
    assert page.asked()["last_date"] == last
    assert page.find("#last-date").get_property("value") == last


def test_fifty_nine_prices_are_told_how_many_are_missing(page):
    page.open()
    page.fill("\n".join(map(str, MADE[:59])))
    page.click("#go")
    assert page.fault() == "59 closes; the model needs 60. 1 more, please."
    assert page.find("#prices").get_attribute("aria-invalid") == "true"
    assert page.find("#prices").get_property("value").count("\n") == 58


def test_a_bad_paste_is_told_by_its_lines_and_stays_as_it_was(page):
    page.open()
    text = LINES.replace(str(MADE[3]), "abc", 1).replace(f"\n{MADE[5]}\n", "\n-4\n", 1)
    page.paste(text)
    page.wait(page.fault)
    page.click("#go")
    assert "Line 4: “abc” is not a number." in page.fault()
    assert "Line 6: -4 is not between" in page.fault()
    assert page.find("#prices").get_property("value") == text


def test_an_empty_field_is_told(page):
    page.open()
    page.click("#clear")
    page.click("#go")
    assert page.fault() == "Paste prices, choose a file or take an example."


def test_a_csv_that_is_chosen_is_forecast_under_its_name(page):
    page.open()
    page.upload(
        "PETR4.csv",
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        + "\n".join(f"2026-{1 + i // 28:02}-{1 + i % 28:02},1,1,1,9,{price},5" for i, price in enumerate(MADE)),
    )
    page.wait(lambda: page.text("h2.name") == "PETR4")
    page.settled()
    assert page.asked()["prices"] == MADE
    assert "Adj Close" in page.text("#read")


def test_a_csv_that_is_dropped_is_forecast_series_by_series(page):
    page.open()
    page.drop(["two.csv", table("PETR4", mark=";") + "\n" + table("VALE3", mark=";").partition("\n")[2]])
    page.wait(lambda: page.finds("#series"))
    page.settled()
    assert [one["id"] for one in page.asked()["series"]] == ["PETR4", "VALE3"]
    assert not page.find("#drop-veil").is_displayed()


def test_a_file_can_be_taken_away_and_what_was_typed_is_there_again(page):
    page.open()
    page.fill(LINES)
    page.drop(["PETR4.csv", table("PETR4")])
    page.wait(lambda: page.finds("#remove"))
    page.click("#remove")
    assert page.find("#prices").get_property("value") == LINES
    assert "60 closes read" in page.text("#read")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("picture.png", b"\x89PNG\r\n\x1a\n\x00\x00", "not a table of prices"),
        ("page.html", "<!doctype html><p>no</p>", "not a table of prices"),
        ("book.xlsx", b"PK\x03\x04\x14\x00\x08", "not a table of prices"),
        ("words.csv", "buy low sell high", "There are no numbers"),
        ("other.csv", "when,what,value,close\n1,2,3,4\n", "The columns are when, what, value, close"),
        ("empty.csv", "", "There are no numbers"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_csv_is_refused_by_name_and_nothing_is_lost(page, name, content, told):
    page.open()
    page.fill(LINES)
    page.upload(name, content)
    page.wait(page.fault)
    assert page.fault().startswith(f"{name}: ")
    assert told in page.fault()
    assert page.find("#prices").get_property("value") == LINES
    page.forecast()
    assert page.asked()["prices"] == MADE


def test_a_file_of_50_mb_is_refused_before_it_is_read(page):
    page.open()
    page.fill(LINES)
    large = page.downloads / "large.csv"
    with large.open("wb") as file:
        file.truncate(50_000_000)
    page.find("#file").send_keys(str(large))
    page.wait(page.fault)
    assert page.fault().startswith("large.csv holds 50 MB; up to 20 MB are read here.")
    assert page.find("#prices").get_property("value") == LINES


def test_a_spreadsheets_windows_file_is_read_and_told(page):
    page.open()
    page.upload("preços.csv", table("AÇÃO").encode("cp1252"))
    page.wait(lambda: page.text("h2.name") == "AÇÃO")
    assert "Windows-1252" in page.text("#read")


def test_html_in_a_name_is_shown_as_text(page):
    page.open()
    page.drop(
        ["two.csv", table(f'"{HOSTILE.replace(chr(34), chr(34) * 2)}"') + "\n" + table("VALE3").partition("\n")[2]]
    )
    page.wait(lambda: page.finds("#series"))
    page.settled()
    assert page.text("h2.name") == HOSTILE
    assert HOSTILE in page.text("#series")
    assert page.finds("#found img, #found script") == []
    assert page.browser.title == "Efemera: a forecast with its doubt"
    assert page.asked()["series"][0]["id"] == HOSTILE


def test_what_the_server_refuses_is_told_at_the_field_that_caused_it(page):
    page.expected = ("the server responded with a status of 422",)
    page.open()
    page.run("document.getElementById('horizon').append(new Option('9', '9'))")
    page.choose("#horizon", 9)
    page.click("#go")
    page.wait(lambda: page.text("#horizon-fault"))
    assert "must be a whole number from 1 to 5" in page.text("#horizon-fault")
    assert page.find("#horizon").get_attribute("aria-invalid") == "true"
    assert page.fault() == ""


def test_a_server_that_is_gone_is_told_and_the_form_stays(english, tmp_path):
    with serving(MODELS) as (address, process):
        page = Visit(english, address, tmp_path)
        page.reset()
        page.expected = ("ERR_CONNECTION_REFUSED",)
        page.open()
        page.fill(LINES)
        process.kill()
        process.wait()
        page.click("#go")
        page.wait(lambda: page.text("#general-fault"))
        assert "The server does not answer" in page.text("#general-fault")
        assert page.find("#prices").get_property("value") == LINES
        assert page.text("#go") == "Forecast"
        page.click("[data-language=pt]")
        assert "O servidor não responde" in page.text("#general-fault")
        page.check_console()
