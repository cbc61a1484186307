"""The pictures of a report draw what the evaluation says, however little that is."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from export.evaluation.report import plots
from export.evaluation.report.fan_charts import draw_fans
from export.evaluation.report.numbers import methods_of
from export.evaluation.report.plots import DRAWERS, Detail, draw_pictures
from tests.export.evaluation.report.made_evaluation import (
    LEVELS,
    coarse_pictures,
    made_detail,
    made_evaluation,
    without_intervals,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def coarse():
    with coarse_pictures():
        yield


def test_the_style_of_the_process_is_as_before():
    assert draw_pictures(made_evaluation(), made_detail()).keys() == DRAWERS.keys()
    assert mpl.rcParams["text.parse_math"]
    assert mpl.rcParams["axes.titlelocation"] == "center"


def test_an_evaluation_of_too_few_dates_for_intervals_is_drawn_without_them():
    """Any warning of NumPy or Matplotlib is an error."""
    evaluation = without_intervals(made_evaluation())
    assert draw_pictures(evaluation, made_detail()).keys() == DRAWERS.keys()
    axes = plots._terciles(evaluation, made_detail()).axes[0]
    assert not any(segment.size for lines in axes.collections for segment in lines.get_segments())
    ours = next(line for line in axes.lines if line.get_label() == "Efemera")
    shares = [
        100 * methods_of(evaluation, f"volatility {name}", 1)["efemera"]["coverage"]["80"]["share"]
        for name in ("low", "middle", "high")
    ]
    assert ours.get_ydata().tolist() == shares


def test_the_band_of_chance_is_as_wide_as_the_coverage_is_unsure():
    """Not binomial over all cases, which move together."""
    evaluation = made_evaluation()
    cover = methods_of(evaluation, "all", 1)["efemera"]["coverage"]
    cover["80"] = {"share": 0.8, "low": 0.8 - 0.0392, "high": 0.8 + 0.0392}  # two standard errors of 0.02: 400 cases
    assert plots._independent_cases(evaluation) == pytest.approx(400, rel=1e-3)


def test_each_fan_opens_at_the_close_of_its_cutoff_and_ends_at_its_last_quantiles():
    fans = made_detail().fans
    figure = draw_fans(fans, LEVELS)
    for axes, fan in zip(figure.axes, fans, strict=True):
        widest = axes.collections[::3]  # the 95% interval of each cutoff
        for band, cutoff, quantiles in zip(widest, fan.cutoffs, fan.quantiles, strict=True):
            row = int(np.flatnonzero(fan.dates == cutoff)[0])
            corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
            assert (row, fan.closes[row]) in corners
            assert {(row + 5, quantiles[-1, 0]), (row + 5, quantiles[-1, -1])} <= corners


def test_the_ring_is_around_the_lowest_validation_loss():
    history = [{"epoch": epoch, "train_loss": 0.5, "validation_loss": loss} for epoch, loss in enumerate([3, 1, 2])]
    ring = plots._training({}, Detail((), history)).axes[0].lines[-1]
    assert (ring.get_xdata(), ring.get_ydata()) == ([1], [1])
    assert ring.get_label() == "lowest, epoch 1"
