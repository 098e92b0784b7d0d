"""Pictures of schedules, by matplotlib: the extra ``plot``."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..formats.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_schedule"]

# More points than this are not seen, and would make a large file.
MOST_POINTS = 4000
SUFFIXES = (".svg", ".png", ".pdf")


def draw_schedule(schedule: Callable[[int], float], n: int, path: str | os.PathLike[str] | None) -> Figure:
    """Return a picture of the rates at the steps below `n`, and write it if there is a path.

    The same schedule gives the same bytes of ``.svg``: no date is written, and no random names.

    Raises
    ------
    ImportError, ValueError, OSError
        As `Schedule.plot`; nothing is drawn for a path of another suffix.
    """
    target = None if path is None else Path(path)
    if target is not None and target.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{target}: expected a suffix of {', '.join(SUFFIXES)}, got {target.suffix!r}")
    if find_spec("matplotlib") is None:
        raise ImportError("drawing a schedule needs matplotlib: pip install 'paring[plot]'")
    # No pyplot: it would open a window system, and keep every picture in memory.
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    steps = np.arange(n) if n <= MOST_POINTS else np.linspace(0, n - 1, MOST_POINTS).round().astype(np.int64)
    rates = np.array([schedule(int(step)) for step in steps])
    with rc_context({"svg.hashsalt": "paring", "svg.fonttype": "none"}):
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
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e0e0e0", linewidth=0.6)
        axes.set_axisbelow(True)
        if target is not None:
            kind = target.suffix.lower()[1:]
            metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
            with replacing(target) as file:
                figure.savefig(file, format=kind, dpi=150, metadata=metadata)
    return figure
