"""The report: one page that needs nothing else, the same pictures beside it, and nothing by halves."""

from __future__ import annotations

import base64
import copy
import math
import re

import pytest

from export.errors import InputError
from export.evaluation.report import page, plots
from export.evaluation.report.page import write_report
from export.evaluation.report.plots import Detail
from tests.export.evaluation.report.made_evaluation import coarse_pictures, made_detail, made_evaluation, stood_still
from tests.export.evaluation.report.page import Page

pytestmark = pytest.mark.slow

PICTURES = {"reliability", "coverage", "pinball", "volatility", "horizon", "fans", "training"}


@pytest.fixture(scope="module", autouse=True)
def coarse():
    with coarse_pictures():
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The paths of a full report."""
    return write_report(tmp_path_factory.mktemp("reports") / "new" / "report", made_evaluation(), made_detail())


def page_of(paths):
    return Page(paths[0].read_text(encoding="utf-8"))


def test_the_page_and_one_png_a_picture_are_written_and_nothing_else(written):
    assert written[0].name == "report.html"
    assert {path.stem for path in written[1:]} == PICTURES
    assert sorted(written[0].parent.iterdir()) == sorted(written)


def test_every_picture_on_disk_is_embedded_with_caption_and_alternative_text(written):
    page = page_of(written)
    images = page.all("img")
    embedded = [base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) for image in images]
    assert embedded == [path.read_bytes() for path in written[1:]]
    assert all(png.startswith(b"\x89PNG") for png in embedded)
    assert all(len(image["alt"]) > 40 for image in images)
    assert len(page.all("figcaption")) == len(PICTURES)


def test_the_page_needs_nothing_but_itself(written):
    text = written[0].read_text(encoding="utf-8")
    page = Page(text)
    assert not re.search(r"https?://|@import|url\(", text)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    assert not any(name.startswith("on") or name == "href" for _, attributes in page.tags for name in attributes)


def test_verdict_comes_first_then_reasons_pictures_tables_and_method(written):
    words = page_of(written).words()
    parts = [
        "calibrated",
        "The intervals hold what they promise",
        "The 80% interval held 80.2%",
        "In pictures",
        "In numbers",
        "The median, one session ahead",
        "The distribution, all steps",
        "By series",
        "How it was measured",
        "bootstrap draws over dates",
        "no investment advice",
    ]
    places = [words.index(part) for part in parts]
    assert places == sorted(places)


@pytest.fixture
def fans_alone(monkeypatch):
    """Draw one picture only, which is sooner done."""
    monkeypatch.setattr(plots, "DRAWERS", {"fans": plots.DRAWERS["fans"]})


@pytest.fixture
def words_alone(monkeypatch):
    """Draw nothing: for tests that read the page."""
    monkeypatch.setattr(plots, "DRAWERS", {})


@pytest.mark.usefixtures("words_alone")
@pytest.mark.parametrize("verdict", ["calibrated", "edge", "rejected"])
def test_each_verdict_has_its_badge(tmp_path, verdict):
    page = page_of(write_report(tmp_path, {**made_evaluation(), "verdict": verdict}, made_detail()))
    assert {"class": f"badge {verdict}"} in page.all("span")


@pytest.mark.usefixtures("words_alone")
def test_numbers_stand_in_the_tables_as_in_the_evaluation(tmp_path):
    evaluation = made_evaluation()
    pooled = next(line for line in evaluation["scores"] if (line["part"], line["step"]) == ("all", 1))
    garch = pooled["methods"]["garch"]
    garch["rel_mae"], garch["r2"], garch["pinball"] = 1.23456, -0.04321, 0.0076543
    garch["coverage"]["95"] = {"share": 0.7654, "low": 0.7123, "high": 0.8123}
    words = page_of(write_report(tmp_path, evaluation, made_detail())).words()
    for number in ("1.2346", "−0.0432", "0.007654", "76.5% [71.2, 81.2]"):
        assert number in words


@pytest.mark.usefixtures("words_alone")
@pytest.mark.parametrize("unknown", [None, math.nan])
def test_a_number_that_is_not_known_is_a_dash(tmp_path, unknown):
    evaluation = made_evaluation()
    for line in evaluation["scores"]:
        line["methods"]["drift"]["mase"] = unknown
    text = write_report(tmp_path, evaluation, made_detail())[0].read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if '<th scope="row">Drift' in line)
    assert re.findall("<td>(.*?)</td>", row)[2] == "–"
    assert "None" not in text
    assert "nan" not in Page(text).words()


@pytest.mark.usefixtures("words_alone")
def test_a_report_says_that_the_slow_methods_forecast_first_days_alone_if_they_did(tmp_path):
    said = "GARCH-t. AutoETS and AutoTheta, whose fits take long, forecast only the first cutoff of each series"
    assert said in page_of(write_report(tmp_path, made_evaluation(), made_detail())).words()
    without = made_evaluation(without=("auto_ets", "auto_theta"))
    assert "first cutoff of each series" not in page_of(write_report(tmp_path, without, made_detail())).words()


@pytest.mark.usefixtures("words_alone")
def test_seeds_are_named_where_a_network_was_trained(tmp_path):
    evaluation = made_evaluation()
    assert "seed" not in page_of(write_report(tmp_path, evaluation, made_detail())).words().lower()
    evaluation["mode"], evaluation["settings"]["seeds"] = "walk-forward", [3]
    words = page_of(write_report(tmp_path, evaluation, made_detail())).words()
    assert "had not ended by then (seed 3)." in words


@pytest.mark.usefixtures("words_alone")
def test_notes_of_the_evaluation_and_its_minute_are_told(tmp_path):
    words = page_of(write_report(tmp_path, made_evaluation(), made_detail())).words()
    assert "GARCH: 183 fits; 2 did not converge." in words
    assert "Evaluated 2026-11-25 20:00 UTC." in words


def test_the_epoch_before_training_has_no_training_loss_and_is_no_epoch_of_it(written):
    [alt] = [image["alt"] for image in page_of(written).all("img") if image["alt"].startswith("Curves of training")]
    assert "up to epoch 30; validation is lowest in epoch 14" in alt


@pytest.mark.usefixtures("fans_alone")
@pytest.mark.parametrize("name", ["<b>x</b>", "US$\\x$", '"><script>', "株価", "a\nb\t" + "long " * 40, "&amp;"])
def test_names_that_users_give_are_only_text(tmp_path, name):
    evaluation = made_evaluation(series=(name, "PETR4"), months=3)
    evaluation["reasons"] = [f"One series, {name}, is miscovered."]
    evaluation["data"]["seen"] = name
    page = page_of(write_report(tmp_path, evaluation, made_detail(names=(name,))))
    assert not page.all("b")
    assert not page.all("script")
    assert page.words().count(" ".join(name.split())) >= 3
    assert any(name in image["alt"] for image in page.all("img"))


def test_missing_methods_are_left_out(tmp_path):
    without = ("garch", "auto_ets", "auto_theta", "drift")
    words = page_of(write_report(tmp_path, made_evaluation(without=without), made_detail())).words()
    assert "EWMA" in words
    assert not re.search("GARCH|AutoETS|AutoTheta|Drift", words)


@pytest.mark.parametrize("months", [1, 2])
def test_one_series_for_a_month_or_two_is_drawn(tmp_path, months):
    evaluation = made_evaluation(series=("PETR4",), months=months, cases=21)
    paths = write_report(tmp_path, evaluation, made_detail(names=("PETR4",)))
    assert {path.stem for path in paths[1:]} == PICTURES


def test_closes_that_stand_still_are_drawn_and_told_without_ratios(tmp_path):
    """Any warning of NumPy or Matplotlib is an error."""
    paths = write_report(tmp_path, stood_still(made_evaluation()), made_detail())
    page = page_of(paths)
    assert {path.stem for path in paths[1:]} == PICTURES
    assert "– × the pinball loss of EWMA" in page.words()
    assert "Efemera’s ratios are at most – and –" in page.words()
    told = [page.words(), *(image["alt"] for image in page.all("img"))]
    assert not any(re.search(r"\bnan\b", words) for words in told)


def test_a_horizon_of_one_session_is_drawn(tmp_path):
    evaluation = made_evaluation()
    evaluation["scores"] = [line for line in evaluation["scores"] if line["step"] <= 1]
    evaluation["comparisons"] = [line for line in evaluation["comparisons"] if line["step"] <= 1]
    evaluation["settings"]["horizon"] = 1
    words = page_of(write_report(tmp_path, evaluation, made_detail(horizon=1))).words()
    assert "one session ahead. " in words


def test_what_is_not_known_is_not_drawn_and_an_older_picture_of_it_goes(tmp_path):
    write_report(tmp_path, made_evaluation(), made_detail())
    (tmp_path / "mine.png").touch()
    evaluation = made_evaluation()
    evaluation["scores"] = [line for line in evaluation["scores"] if not line["part"].startswith("volatility")]
    paths = write_report(tmp_path, evaluation, Detail((), None))
    assert {path.stem for path in paths[1:]} == PICTURES - {"volatility", "fans", "training"}
    assert sorted(tmp_path.iterdir()) == sorted([*paths, tmp_path / "mine.png"])


def test_equal_input_gives_equal_bytes_and_is_not_changed(written, tmp_path):
    evaluation = made_evaluation()
    before = copy.deepcopy(evaluation)
    again = write_report(tmp_path, evaluation, made_detail())
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]
    assert evaluation == before


def test_when_a_drawing_fails_nothing_is_touched(tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("earlier")

    def fail(*_):
        raise RuntimeError("no picture")

    monkeypatch.setitem(plots.DRAWERS, "training", fail)
    with pytest.raises(RuntimeError, match="no picture"):
        write_report(tmp_path, made_evaluation(), made_detail())
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "earlier"


@pytest.mark.usefixtures("fans_alone")
def test_a_file_in_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(InputError, match="--report .*taken: can't be written"):
        write_report(tmp_path / "taken", made_evaluation(), made_detail())


def test_every_picture_has_its_words():
    assert page.CAPTIONS.keys() == plots.DRAWERS.keys()
