"""Pictures of schedules, by matplotlib: the extra ``plot``."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..pictures import SAME_BYTES, check_picture, save_picture, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_schedule"]

# More points than this are not seen, and would make a large file.
MOST_POINTS = 4000


def draw_schedule(schedule: Callable[[int], float], n: int, path: str | os.PathLike[str] | None) -> Figure:
    """Return a picture of the rates at the steps below `n`, and write it if there is a path.

    The same schedule gives the same bytes of ``.svg``: no date is written, and no random names.

    Raises
    ------
    ImportError, ValueError, OSError
        As `Schedule.plot`; nothing is drawn for a path of another suffix.
    """
    check_picture(path, "a schedule")
    # No pyplot: it would open a window system, and keep every picture in memory.
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    steps = np.arange(n) if n <= MOST_POINTS else np.linspace(0, n - 1, MOST_POINTS).round().astype(np.int64)
    rates = np.array([schedule(int(step)) for step in steps])
    with rc_context(SAME_BYTES):
        figure = Figure(figsize=(6.4, 3.2), layout="constrained")
        axes = figure.add_subplot()
        # A rate is in force until the next update: steps, not slopes.
        axes.step(steps, rates, where="post", color="#1f5fa8", linewidth=1.5)
        if n <= 50:
            axes.plot(steps, rates, "o", color="#1f5fa8", markersize=3.5)
        axes.set_ylim(bottom=0)
        axes.set_xlim(-0.02 * max(n - 1, 1), 1.02 * max(n - 1, 1))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("updates done")
        axes.set_ylabel("learning rate")
        axes.set_title(
            textwrap.fill(repr(schedule), 84, max_lines=3, placeholder=" ..."), loc="left", fontsize=9
        )
        style_axes(axes)
        save_picture(figure, path)
    return figure
