"""Pictures of histories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..pictures import SAME_BYTES, check_picture, save_picture, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .history import History

__all__ = ["draw_history"]

COLORS = ("#1f5fa8", "#c8501e", "#3a8a3a", "#7a4fa0")
LOSSES = ("loss", "validation_loss")


def draw_history(history: History, path: str | os.PathLike[str] | None) -> Figure:
    """Return a picture of losses, metrics and learning rate, and write it if there is a path; see `History.plot`."""
    check_picture(path, "a history")
    if not history.steps["loss"]:
        raise ValueError("history: expected at least one step to draw, got none")
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    metrics = [name for name in history.epochs if name not in LOSSES]
    with rc_context(SAME_BYTES):
        rows = 3 if metrics else 2
        figure = Figure(figsize=(6.4, 2.1 * rows), layout="constrained")
        grid = figure.subplots(rows, 1)
        losses, rates = grid[0], grid[-1]
        steps = np.arange(1, len(history.steps["loss"]) + 1)
        epochs = np.arange(1, history.completed_epochs + 1)
        # Steps are drawn where the epochs they belong to are.
        scale = epochs.size / steps.size if epochs.size else 1.0
        losses.plot(
            steps * scale, history.steps["loss"], color="#b8cbe0", linewidth=0.8, label="of each step"
        )
        for color, name in zip(COLORS, LOSSES, strict=False):
            if epochs.size and name in history.epochs:
                losses.plot(epochs, history.epochs[name], color=color, marker="o", markersize=3, label=name)
        losses.set_ylabel("loss")
        losses.legend(frameon=False, fontsize=8)
        for place, name in enumerate(metrics):
            color = COLORS[place % len(COLORS)]
            grid[1].plot(epochs, history.epochs[name], color=color, marker="o", markersize=3, label=name)
        if metrics:
            grid[1].legend(frameon=False, fontsize=8)
        rates.step(
            steps * scale, history.steps["learning_rate"], where="post", color=COLORS[0], linewidth=1.2
        )
        rates.set_ylim(bottom=0)
        rates.set_ylabel("learning rate")
        rates.set_xlabel("epochs" if epochs.size else "steps")
        for axes in grid:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            style_axes(axes)
        if history.best_epoch is not None:
            for axes in grid[:-1]:
                axes.axvline(history.best_epoch + 1, color="#909090", linewidth=0.8, linestyle=":")
        save_picture(figure, path)
    return figure
