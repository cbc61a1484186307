"""The loss curves of a training."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from export.evaluation.report.style import FEW, new_figure, put_legend
from export.forecast_plot import ACCENT, MUTED


def draw_training(history: Sequence[dict[str, float]]) -> Figure:
    """Training and validation loss by epoch, and which epoch's weights were kept."""
    figure, (axes,) = new_figure(3.6)
    epochs = [line["epoch"] for line in history]
    marker = "o" if len(epochs) <= FEW else None
    for key, colour in (("train_loss", MUTED), ("validation_loss", ACCENT)):
        label = key.replace("_loss", "").replace("train", "training")
        losses = [line[key] for line in history]
        axes.plot(epochs, losses, color=colour, linewidth=1.6, marker=marker, markersize=3.5, label=label)
    best = best_epoch(history)
    label = f"lowest, epoch {best['epoch']:g}"
    axes.plot(best["epoch"], best["validation_loss"], "o", color=ACCENT, markersize=9, fillstyle="none", label=label)
    axes.set_title("Loss while training")
    axes.set_xlabel("epoch")
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.set_ylabel("pinball loss, scaled")
    axes.locator_params(axis="x", integer=True)
    put_legend(figure, axes)
    return figure


def best_epoch(history: Sequence[dict[str, float]]) -> dict[str, float]:
    """The one whose validation loss is lowest."""
    return min(history, key=lambda line: line["validation_loss"])
