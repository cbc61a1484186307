"""The picture of an explanation: which panels it has, and that they draw what the answer says."""

import copy
import itertools

import matplotlib as mpl
import msgspec
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from export.explain.figure import LOOK, METADATA, explanation_figure, save_explanation
from lambda_fn.api.explain_response import explain_forecast
from lambda_fn.api.forecast_response import forecast_one
from lambda_fn.api.request_body import ExplainRequest, PredictRequest
from lambda_fn.model.attribution import served_weights
from lambda_fn.model.forecaster import Forecaster, Inference
from tests.lambda_fn.conftest import MODELS

pytestmark = pytest.mark.slow

UNITS = 50
LSTM = ("forget", "input", "output", "candidate", "cell", "hidden")
CLOSES = 30 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.02, 60)))
CLOSES[50:] *= 0.8


def told(closes=CLOSES):
    """The answer in full, dated, and the forecast's steps."""
    forecaster = Forecaster(MODELS)
    inference, weights = Inference(forecaster), served_weights(MODELS, forecaster)
    last_date = np.datetime64("2021-03-26").item()
    found = explain_forecast(inference, weights, ExplainRequest(closes.tolist(), last_date=last_date, detail="full"))
    steps = forecast_one(inference, PredictRequest(closes.tolist())).steps
    return msgspec.to_builtins(found), msgspec.to_builtins(steps)


@pytest.fixture(scope="module")
def explained():
    return told()


def figure_of(explained, name="AAA"):
    with mpl.rc_context(LOOK):
        figure = explanation_figure(name, *explained)
        FigureCanvasAgg(figure).draw()
    return figure


@pytest.fixture(scope="module")
def figure(explained):
    return figure_of(explained)


def panels(figure):
    return {axes.get_label(): axes for axes in figure.axes if not axes.get_label().startswith("colours")}


def test_price_contributions_and_for_each_layer_its_gates_and_memory_stand_one_under_the_other(figure):
    found = panels(figure)
    layers = [f"{name} {layer}" for layer in (1, 2) for name in (*LSTM, "kept")]
    assert [*found] == ["price", "median", "width", *layers]
    places = [axes.get_position() for axes in found.values()]
    assert all(upper.y0 > lower.y1 for upper, lower in itertools.pairwise(places))
    assert len({(place.x0, place.x1) for place in places}) == 1
    assert len({axes.get_xlim() for axes in found.values()}) == 1


def test_each_map_is_the_gate_with_its_units_in_the_order_given(figure, explained):
    found = panels(figure)
    for layer, gates in enumerate(explained[0]["gates"], start=1):
        assert gates["order"] != sorted(gates["order"])
        for name in LSTM:
            [image] = found[f"{name} {layer}"].images
            drawn = np.asarray(image.get_array())
            assert drawn.shape == (UNITS, 60)
            for row, unit in enumerate(gates["order"]):
                assert drawn[row].tolist() == [day[unit] for day in gates[name]]
            assert image.get_extent() == [-0.5, 59.5, UNITS - 0.5, -0.5]


def test_gates_share_one_scale_around_a_half_and_each_state_has_its_own_around_zero(figure):
    found = panels(figure)
    limits = {name: (axes.images[0].norm.vmin, axes.images[0].norm.vmax) for name, axes in found.items() if axes.images}
    assert len({limits[f"{name} {layer}"] for name in LSTM[:3] for layer in (1, 2)}) == 1
    assert sum(limits["forget 1"]) == pytest.approx(1)
    for name in LSTM[3:]:
        assert limits[f"{name} 1"] == limits[f"{name} 2"]
        assert sum(limits[f"{name} 1"]) == 0
    bars = [axes.get_label() for axes in figure.axes if axes.get_label().startswith("colours")]
    assert bars == [f"colours of {name} {layer}" for layer in (1, 2) for name in ("forget", *LSTM[3:])]


def test_the_bars_are_what_each_day_added_and_those_below_zero_have_another_colour(figure, explained):
    for name in ("median", "width"):
        bars = panels(figure)[name].patches
        assert [bar.get_height() for bar in bars] == [day[name] for day in explained[0]["days"]]
        assert [round(bar.get_x() + bar.get_width() / 2, 9) for bar in bars] == list(range(60))
        colours = {to_hex(bar.get_facecolor()): bar.get_height() < 0 for bar in bars}
        assert len(colours) == len({bar.get_height() < 0 for bar in bars})


def test_the_price_panel_has_the_closes_the_median_and_the_naive_line(figure, explained):
    found, steps = explained
    lines = {line.get_label(): line.get_xydata().tolist() for line in panels(figure)["price"].lines}
    assert lines["close"] == [[day["day"], day["price"]] for day in found["days"]]
    ahead = [[59, found["last_price"]]]
    assert lines["median"] == ahead + [[59 + step["step"], step["median"]] for step in steps]
    assert lines["naive"] == [[59 + step, found["last_price"]] for step in range(len(steps) + 1)]
    fan = [area for area in panels(figure)["price"].collections if area.get_label().endswith("%")]
    assert [area.get_label() for area in fan] == [f"{level}%" for level in steps[0]["intervals"]]
    for area in fan:
        low, high = steps[-1]["intervals"][area.get_label()[:-1]]
        box = area.get_datalim(panels(figure)["price"].transData)
        assert (box.x0, box.x1) == (59, 59 + len(steps))
        assert box.y0 <= low < high <= box.y1


def test_under_each_layer_stands_how_many_units_forget_and_what_is_kept(figure, explained):
    for layer in (0, 1):
        kept, closed = panels(figure)[f"kept {layer + 1}"].lines
        days = [day["layers"][layer] for day in explained[0]["days"]]
        assert kept.get_ydata().tolist() == [day["kept"] for day in days]
        assert closed.get_ydata().tolist() == [day["closed"] / UNITS for day in days]


def texts(figure):
    return [text.get_text() for text in figure.texts]


def test_each_striking_day_is_marked_through_all_panels_and_numbered_like_its_sentence(figure, explained):
    notes = explained[0]["notes"]
    assert notes
    for number, note in enumerate(notes, start=1):
        assert texts(figure).count(str(number)) == 2  # over the day and beside the sentence
        assert any(f"{note['date']}: {note['text']}" == text.replace("\n", " ") for text in texts(figure))
    lines = [patch for patch in figure.artists if hasattr(patch, "xy1")]
    assert sorted(line.xy1[0] for line in lines) == sorted({note["day"] for note in notes})


def test_the_head_says_forecast_naive_verdict_and_agreement(figure, explained):
    found = explained[0]
    title, head = texts(figure)[:2]
    assert title == f"AAA: why {found['predicted_price']:.3f} after 2021-03-26"
    assert f"naive {found['last_price']:.3f}" in head
    assert f"verdict: {found['verdict']}" in head
    assert f"agree within {found['agreement']['difference']:.1e}" in head


@pytest.mark.parametrize("name", ["AAA", "US$BRL$", "A name that is longer than any ticker has the right to be"])
def test_nothing_is_cut_by_the_edge_of_the_page(explained, name):
    figure = figure_of(explained, name)
    page = figure.bbox
    for text in (
        *figure.texts,
        *(label for axes in figure.axes for label in [axes.yaxis.label, *axes.get_yticklabels()]),
    ):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert page.x0 <= box.x0 < box.x1 <= page.x1, text
            assert page.y0 <= box.y0 < box.y1 <= page.y1, text


def as_of_a(cell, explained, renamed):
    """The answer of a model of one layer with another cell: its gates are those of the LSTM under other names."""
    found, steps = copy.deepcopy(explained)
    found |= {"cell": cell, "layers": 1, "notes": []}
    found["gates"] = [{"order": found["gates"][0]["order"]} | {new: found["gates"][0][old] for old, new in renamed}]
    if cell == "rnn":
        del found["reach"]
    return found, steps


GRU = (("input", "reset"), ("forget", "update"), ("candidate", "candidate"), ("hidden", "hidden"))


def test_other_cells_have_the_panels_of_what_they_have(explained):
    gru = panels(figure_of(as_of_a("gru", explained, GRU)))
    assert [*gru] == ["price", "median", "width", "reset 1", "update 1", "candidate 1", "hidden 1", "kept 1"]
    assert "units whose update gate is below" in gru["kept 1"].get_title(loc="left")
    rnn = panels(figure_of(as_of_a("rnn", explained, [("hidden", "hidden")])))
    assert [*rnn] == ["price", "median", "width", "hidden 1"]


def test_a_head_without_intervals_has_neither_fan_nor_widths(explained):
    found, _ = copy.deepcopy(explained)
    found |= {"level": None, "baseline": {"median": 1.0}, "forecast": {"median": 2.0}}
    figure = figure_of((found, [{"step": 1, "median": 2.0, "intervals": {}}]))
    assert [*panels(figure)][:3] == ["price", "median", "forget 1"]
    assert "interval" not in texts(figure)[1]


def test_a_window_without_movement_is_drawn_and_says_that_nothing_stands_out():
    figure = figure_of(told(np.full(60, 40.0)))
    assert "no day of this window stands out" in texts(figure)


@pytest.mark.parametrize("ending", METADATA)
def test_equal_answers_give_equal_files(explained, tmp_path, ending):
    first, second = (tmp_path / f"{number}{ending}" for number in (1, 2))
    for path in (first, second):
        save_explanation(path, "株", *explained)  # letters that the font lacks are no warning
    content = first.read_bytes()
    assert content == second.read_bytes()
    assert content.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending])
