"""`efemera lab` as a user meets it: sentences, one page, every number in a file, one line for a mistake."""

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from export.data.sample import made_market
from export.lab import laboratory
from tests.export.evaluation.report.page import Page

pytestmark = pytest.mark.slow

ALL = ["parameters", "gradient", "recall", "kept", "prices", "life"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A whole fast run, as a process of its own: the folder and what it said."""
    folder = tmp_path_factory.mktemp("lab") / "new" / "lab"
    command = [sys.executable, "-m", "export", "lab", "--fast", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "120"})
    return folder, done.stdout, json.loads((folder / "results.json").read_text(encoding="utf-8"))


def test_every_experiment_ends_in_its_sentence_and_a_verdict(whole):
    _, said, results = whole
    assert list(results["experiments"]) == ALL
    for one in results["experiments"].values():
        assert one["sentence"]["en"] in said
        assert one["verdict"] in {"holds", "holds in part", "does not hold", "cannot be told"}
    assert "Parameters: holds" in said


def test_the_page_holds_both_languages_and_needs_nothing_else(whole):
    folder, _, results = whole
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert [main["lang"] for main in page.all("main")] == ["en", "pt-BR"]
    assert len(page.all("img")) == 2 * len(ALL)
    assert all(image["src"].startswith("data:image/png;base64,") and image["alt"] for image in page.all("img"))
    assert "http" not in text.replace("http-equiv", "")
    assert not page.all("script")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= set(ids)
    for one in results["experiments"].values():
        for sentence in one["sentence"].values():
            assert " ".join(sentence.split()) in page.words()


def test_the_deployed_code_forgets_between_requests(whole):
    _, _, results = whole
    life = results["experiments"]["life"]
    assert life["verdict"] == "holds"
    assert life["numbers"]["equal"] == life["numbers"]["orders"] == 16


def test_the_same_seed_gives_the_same_numbers_and_another_one_others(efemera, tmp_path, whole):
    _, _, results = whole
    names = ["gradient", "prices"]
    code, printed, _ = efemera("lab", *names, "--fast", "--json", "-o", tmp_path / "same")
    assert code == 0
    again = json.loads(printed)
    assert again["experiments"] == {name: results["experiments"][name] for name in names}
    code, printed, _ = efemera("lab", "gradient", "--fast", "--json", "--seed", "1", "-o", tmp_path / "other")
    assert json.loads(printed)["experiments"]["gradient"] != results["experiments"]["gradient"]


def test_some_experiments_in_one_language(efemera, tmp_path):
    code, out, err = efemera("lab", "life", "parameters", "--fast", "--language", "pt", "-o", tmp_path)
    assert code == 0
    assert out.index("Parâmetros: confirma-se") < out.index("A vida da memória: confirma-se")
    assert "31.051" in out
    assert f"written: {tmp_path}/results.json, {tmp_path}/report.html" in err
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [main["lang"] for main in page.all("main")] == ["pt-BR"]
    assert not page.all("input")


def test_own_prices_are_taken_and_named(efemera, tmp_path):
    days = np.arange("2018-01-01", "2018-06-01", dtype="datetime64[D]")
    with (tmp_path / "own.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["unique_id", "ds", "y"])
        for name, closes in zip(("PETR4", "VALE3", "ABEV3"), made_market(3, len(days), seed=0), strict=True):
            writer.writerows([name, day, close] for day, close in zip(days, closes, strict=True))
    code, out, _ = efemera("lab", "life", "-p", tmp_path / "own.csv", "-o", tmp_path / "lab")
    assert code == 0
    assert "PETR4 asked after VALE3 gives bit for bit the answer that it gives alone" in out
    code, _, err = efemera("lab", "prices", "--fast", "-p", tmp_path / "own.csv", "-o", tmp_path / "lab")
    assert code == 2
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["memory"], "'memory' is no experiment; there are parameters, gradient, recall, kept, prices, life"),
        (["--language", "fr"], "--language: 'fr' is not one of en, pt, both"),
        (["parameters", "--prices", "nowhere.csv"], "nowhere.csv"),
        (["parameters", "--model", "nowhere"], "no such file"),
        (["parameters", "--out", "/dev/null/lab"], "--out /dev/null/lab: can't be written"),
    ],
)
def test_a_mistake_is_one_line(efemera, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = efemera("lab", *arguments)
    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_one_series_alone_cannot_be_asked_after_another(efemera, tmp_path):
    rows = "".join(f"2020-{1 + day // 28:02}-{1 + day % 28:02},{40 + day % 7}\n" for day in range(90))
    (tmp_path / "one.csv").write_text("unique_id,ds,y\n" + "".join(f"AAA,{line}\n" for line in rows.splitlines()))
    code, _, err = efemera("lab", "life", "-p", tmp_path / "one.csv", "-o", tmp_path / "lab")
    assert code == 2
    assert "life: asks one series after another" in err


def test_ctrl_c_keeps_what_has_ended(efemera, tmp_path, monkeypatch):
    """A real SIGINT, in the midst of the second experiment."""
    real = laboratory.EXPERIMENTS["gradient"]

    def interrupted(setup):
        os.kill(os.getpid(), signal.SIGINT)
        return real.measure(setup)

    monkeypatch.setitem(laboratory.EXPERIMENTS, "gradient", dataclasses.replace(real, measure=interrupted))
    code, out, err = efemera("lab", "parameters", "gradient", "--fast", "-o", tmp_path)
    assert code == 130
    assert f"interrupted; finished and written: parameters in {tmp_path}" in err
    assert list(json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["experiments"]) == ["parameters"]
    assert (tmp_path / "report.html").exists()
    assert "Parameters: holds" in out
