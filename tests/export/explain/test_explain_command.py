"""`efemera explain`: what it prints and writes is what `POST /explain` answers to the same closes."""

import contextlib
import csv
import dataclasses
import gzip
import hashlib
import io
import json
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest

from export.data.sample import made_market
from export.screen import price
from export.training.config import Config
from lambda_fn.api.handler import handler
from tests.export.conftest import SMALL
from tests.lambda_fn.conftest import Context, event

MODELS = Path(__file__).parent.parent.parent.parent / "models"
GATES = ("forget", "input", "output", "candidate", "cell", "hidden", "closed", "kept")
SHORT = dataclasses.replace(SMALL, window=20, hidden_size=5)
OTHERS = {
    "gru": dataclasses.replace(
        SHORT, cell="gru", layers=1, head="guide", horizon=1, quantiles=(0.5,), scaling="minmax:1,400", loss="mse"
    ),
    "rnn": dataclasses.replace(SHORT, cell="rnn", layers=3),
}


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """A CSV of AAA and BBB on weekdays, and of NEW with a month of them; and AAA's days and closes."""
    path = tmp_path_factory.mktemp("prices") / "prices.csv"
    days = np.arange("2021-01-01", "2021-09-01", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    closes = made_market(3, len(days), seed=4)
    closes[0, -20:] *= 0.85  # one fall that is worth a note
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["unique_id", "ds", "y"])
        for name, series, count in zip(("AAA", "BBB", "NEW"), closes, (0, 0, 20), strict=True):
            rows = list(zip(days, series, strict=True))[-count:]
            writer.writerows([name, day, close] for day, close in rows)
    return path, [str(day) for day in days], closes[0].tolist()


@pytest.fixture(scope="module")
def table(market):
    return market[0]


def asked_of_the_api(body):
    with contextlib.redirect_stdout(io.StringIO()):  # its log line
        found = handler(event({**body, "detail": "full"}, path="/explain"), Context())
    assert found["statusCode"] == 200
    return found["body"]


@pytest.fixture(scope="module")
def answer(market):
    """The API's answer to AAA's closes."""
    _, days, closes = market
    return json.loads(asked_of_the_api({"prices": closes, "last_date": days[-1]}))


def test_json_is_what_the_api_answers_byte_for_byte(efemera, market):
    table, days, closes = market
    code, out, _ = efemera("explain", "-p", table, "--ticker", "AAA", "--json")
    assert code == 0
    assert out == asked_of_the_api({"prices": closes, "last_date": days[-1]}) + "\n"


def test_as_of_a_day_is_as_if_the_closes_ended_there(efemera, market):
    table, days, closes = market
    for as_of, count in ((days[99], 100), ("2021-08-01", days.index("2021-07-30") + 1)):  # a Sunday
        code, out, _ = efemera("explain", "-p", table, "--id", "AAA", "--as-of", as_of, "--json")
        assert code == 0
        assert out == asked_of_the_api({"prices": closes[:count], "last_date": days[count - 1]}) + "\n"


def test_dates_are_the_tables_own_whatever_a_calendar_says(efemera, market, tmp_path):
    _, days, closes = market
    gap = [day for day in days if day != days[-5]]
    kept = [close for day, close in zip(days, closes, strict=True) if day != days[-5]]
    path = tmp_path / "one.csv"
    path.write_text("unique_id,ds,y\n" + "".join(f"A,{day},{y!r}\n" for day, y in zip(gap, kept, strict=True)))
    _, out, _ = efemera("explain", "-p", path, "--json")
    found, expected = json.loads(out), json.loads(asked_of_the_api({"prices": kept}))
    assert [day.pop("date") for day in found["days"]] == gap[-60:]
    assert [note.pop("date") for note in found["notes"]] == [gap[-60:][note["day"]] for note in found["notes"]]
    assert found == expected


def rows_of(out):
    """The table's rows by day: the cells as printed."""
    lines = out[out.index("──") :].splitlines()[1:]
    cells = [line.split() for line in lines if line[:3].strip().isdigit()]
    return {int(row[0]): row[1:] for row in cells}


def test_every_number_shown_is_the_answers(efemera, table, answer):
    code, out, _ = efemera("explain", "-p", table, "--id", "AAA", "--all", columns=80)
    assert code == 0
    decimals = len(price(answer["last_price"]).split(".")[1]) + 1
    marked = {}
    for number, note in enumerate(answer["notes"], start=1):
        marked.setdefault(note["day"], []).append(str(number))
    rows = rows_of(out)
    assert [*rows] == list(range(60))
    for day in answer["days"]:
        gates = [
            f"{100 * layer[name]:.0f}" for layer in day["layers"] for name in ("forget", "input", "output", "kept")
        ]
        assert rows[day["day"]] == [
            day["date"], price(day["price"]), f"{day['return']:+.1%}",
            f"{day['median']:+.{decimals}f}", f"{day['width']:+.{decimals}f}",
            *gates, *marked.get(day["day"], []),
        ]  # fmt: skip


def test_above_the_table_stand_forecast_naive_verdict_agreement_memory_and_notes(efemera, table, answer):
    _, out, _ = efemera("explain", "-p", table, "--id", "AAA")
    head = out[: out.index("──")].splitlines()
    low, high = api_interval(answer)
    assert head[0] == (
        f"AAA after {answer['days'][-1]['date']}: {price(answer['predicted_price'])},"
        f" naive {price(answer['last_price'])}; 80% interval {price(low)}–{price(high)}"
    )
    assert f"verdict: {answer['verdict']}" in head[1]
    assert f"the six equations agree with ONNX within {answer['agreement']['difference']:.1e};" in out
    for layer, reach in enumerate(answer["reach"]):
        assert f"of what layer {layer + 1} holds, half is left after {reach} session" in out
    assert len(answer["notes"]) >= 2
    for number, note in enumerate(answer["notes"], start=1):
        assert f"{number}  {note['date']}: {note['text']}" in head


def api_interval(answer):
    prices = [day["price"] for day in answer["days"]]
    found = handler(event({"prices": prices}), Context())
    return json.loads(found["body"])["steps"][0]["intervals"]["80"]


def test_the_last_days_and_the_striking_ones_are_shown_unless_all_are_asked_for(efemera, table, answer):
    _, out, _ = efemera("explain", "-p", table, "--id", "AAA")
    assert {*rows_of(out)} == {*range(48, 60), *(note["day"] for note in answer["notes"])}


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_the_table_has_a_row_for_each_day_and_layer_with_the_answers_values(efemera, table, answer, tmp_path, ending):
    path = tmp_path / f"explain{ending}"
    code, _, err = efemera("explain", "-p", table, "--id", "AAA", "--out", path)
    assert (code, f"written: {path}" in err) == (0, True)
    if ending == ".parquet":
        found = duckdb.sql(f"SELECT * FROM '{path}'")
        rows = [dict(zip(found.columns, map(str, row), strict=True)) for row in found.fetchall()]
    else:
        opened = gzip.open if ending == ".csv.gz" else open
        with opened(path, "rt") as file:
            rows = list(csv.DictReader(file))
    assert len(rows) == 60 * 2
    expected = [(day, number, layer) for day in answer["days"] for number, layer in enumerate(day["layers"])]
    for row, (day, number, layer) in zip(rows, expected, strict=True):
        assert (row["unique_id"], row["ds"]) == ("AAA", day["date"])
        told = {"day": day["day"], "y": day["price"], "x": day["input"], "layer": number}
        told |= {name: day[name] for name in ("return", "median", "width")} | {name: layer[name] for name in GATES}
        assert {name: float(row[name]) for name in told} == told
        assert {*row} == {"unique_id", "ds", *told}


@pytest.fixture(params=OTHERS)
def other(request, exported):
    """The folder of a model with another cell, one of them with the study guide's head."""
    return request.param, exported(OTHERS[request.param])


@pytest.mark.slow
def test_other_cells_and_the_guides_head_are_explained_by_what_they_have(efemera, table, tmp_path, other):
    kind, folder = other
    out, plot = tmp_path / "out.csv", tmp_path / "plot.svg"
    code, printed, err = efemera("explain", "-p", table, "--id", "AAA", "-m", folder, "--out", out, "--plot", plot)
    assert code == 0, err
    config: Config = OTHERS[kind]
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == config.window * config.layers
    has = {"gru": {"reset", "update", "kept"}, "rnn": {"hidden", "width"}}[kind]
    lacks = {"gru": {"forget", "width"}, "rnn": {"forget", "kept", "closed"}}[kind]
    assert has <= {*rows[0]}
    assert not lacks & {*rows[0]}
    assert f"the equations of the {kind.upper()} agree with ONNX" in printed
    assert {"gru": " r1 z1 k1 ", "rnn": " hidden1 hidden2 hidden3 "}[kind] in " ".join(printed.split())
    assert len(rows_of(printed)) >= 12
    assert plot.read_text().startswith("<?xml")


def with_other_weights(folder, names_it):
    """The committed set with a bias of its weights.npz moved; `names_it`: and its manifest naming that file."""
    shutil.copytree(MODELS, folder)
    with np.load(MODELS / "weights.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["linear.bias"] = arrays["linear.bias"] + 0.01
    np.savez(folder / "weights.npz", **arrays)
    if names_it:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"]["weights.npz"] = hashlib.sha256((folder / "weights.npz").read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(
    ("names_it", "reason"),
    [(False, "not the file that manifest.json names"), (True, "weights.npz and model.onnx differ by")],
)
def test_weights_that_are_not_the_graphs_explain_nothing(efemera, table, tmp_path, names_it, reason):
    folder, plot = with_other_weights(tmp_path / "model", names_it), tmp_path / "plot.png"
    code, out, err = efemera("explain", "-p", table, "--id", "AAA", "-m", folder, "--plot", plot, "--json")
    assert (code, out, plot.exists()) == (3, "", False)
    assert err.splitlines() == [err.strip()]
    assert reason in err
    assert str(folder) in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "3 series (AAA, BBB, NEW); choose one with --ticker"),
        (("--ticker", "AAB"), "there is no series 'AAB'; known are AAA"),
        (("--ticker", "NEW"), "NEW is too short: 20 closes; 60 are needed"),
        (("--ticker", "AAA", "--as-of", "2021-02-01"), "AAA is too short: 22 closes up to 2021-02-01; 60 are needed"),
        (("--ticker", "AAA", "--as-of", "2021"), "--as-of: '2021' is not a calendar date"),
        (("--ticker", "AAA", "--plot", "a.jpg"), "--plot a.jpg: must end in .png, .svg or .pdf"),
        (("--ticker", "AAA", "--plot", "/dev/null/a.png"), "--plot /dev/null/a.png: can't be written"),
        (("--ticker", "AAA", "--out", "a.txt"), "--out a.txt: must end in .parquet, .csv.gz or .csv"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(efemera, table, arguments, message):
    code, out, err = efemera("explain", "-p", table, *arguments)
    assert (code, out) == (2, "")
    assert err.splitlines() == [err.strip()]
    assert message in err


def test_of_many_series_a_refusal_names_the_first(efemera, tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("unique_id,ds,y\n" + "".join(f"S{number},2021-01-04,{number + 1}\n" for number in range(9)))
    code, _, err = efemera("explain", "-p", path)
    assert code == 2
    assert "9 series (S0, S1, S2, S3, S4, …); choose one with --ticker" in err


@pytest.mark.slow
def test_a_window_without_movement_is_told_as_such(efemera, market, tmp_path):
    path, plot = tmp_path / "flat.csv", tmp_path / "flat.png"
    path.write_text("unique_id,ds,y\n" + "".join(f"FLAT,{day},40\n" for day in market[1]))
    code, out, _ = efemera("explain", "-p", path, "--plot", plot)
    assert code == 0
    assert "(constant)" in out
    assert plot.exists()


def test_its_help_holds_an_example(efemera):
    code, out, _ = efemera("explain", "--help")
    assert code == 0
    assert "Example:" in out
    assert "efemera explain --prices" in out
