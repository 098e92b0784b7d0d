"""A picture of what was reached beside what the machine can do, the roofline of Williams et al. (2009).

Across: operations a byte of weights; up: operations a second, both in powers of ten. The roof is what reading the
weights allows, up to what the multiplier can do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..training.pictures import SAME_BYTES, check_picture, save_picture, style_axes
from .linear_contest import LimitRate, LinearOutcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_roofline"]

MARKERS = "osD^vPX*<>"
SIZE_INCHES = (7.5, 5.0)


def draw_roofline(outcomes: Sequence[LinearOutcome], path: str | os.PathLike[str] | None = None) -> Figure:
    """Draw every entry of contests, each under the roof that was measured beside it.

    Parameters
    ----------
    outcomes : sequence of LinearOutcome
        At least one.
    path : path, optional
        Where to write the picture: .svg, .png or .pdf.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib (the extra ``plot``).
    ValueError
        If the path has another suffix.
    """
    check_picture(path, "a roofline")
    import matplotlib
    from matplotlib.figure import Figure as NewFigure

    groups: dict[tuple[int, bool, bool], list[LinearOutcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.threads, outcome.cold, outcome.problem.bits == 32), []).append(outcome)
    names = list(dict.fromkeys(entry.name for outcome in outcomes for entry in outcome.entries))
    with matplotlib.rc_context(SAME_BYTES):
        width, height = SIZE_INCHES
        figure = NewFigure(figsize=(width * len(groups), height), layout="constrained")
        panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, ((threads, cold, _), members) in zip(panels, groups.items(), strict=True):
            _draw_panel(axes, members, names)
            axes.set_title(f"{threads} thread{'s' * (threads > 1)}, {'cold' if cold else 'hot'} weights")
        panels[0].set_ylabel("10⁹ operations a second")
        save_picture(figure, path)
    return figure


def _draw_panel(axes: Axes, outcomes: Sequence[LinearOutcome], names: Sequence[str]) -> None:
    """Draw contests that have the same kinds of limits: the highest roof, and the points."""
    style_axes(axes)
    points = [intensity(outcome) for outcome in outcomes]
    span = np.geomspace(min(points) / 4, max(points) * 4, 200)
    limits = [rates(outcome) for outcome in outcomes]
    computing = [compute.rate for compute, _ in limits if compute is not None]
    reading = max((read for _, read in limits), key=lambda read: read.rate)
    roof = np.minimum(reading.rate * span, max(computing, default=np.inf)) / 1e9
    axes.plot(span, roof, color="0.3", linewidth=1, label=f"limit ({reading.name})")
    for index, name in enumerate(names):
        reached = [
            (intensity(outcome), outcome.problem.operations / entry.seconds / 1e9)
            for outcome in outcomes
            for entry in outcome.entries
            if entry.name == name
        ]
        if not reached:
            continue
        across, up = zip(*reached, strict=True)
        axes.scatter(
            across,
            up,
            marker=MARKERS[index % len(MARKERS)],
            color=f"C{index % 10}",
            s=48 if name == "paring" else 28,
            zorder=3 if name == "paring" else 2,
            label=name,
        )
    axes.set(xscale="log", yscale="log", xlabel="operations a byte of weights")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    axes.legend(fontsize="small", frameon=False)


def intensity(outcome: LinearOutcome) -> float:
    """Return how many operations a layer does for a byte of its weights."""
    return outcome.problem.operations / outcome.problem.weight_bytes


def rates(outcome: LinearOutcome) -> tuple[LimitRate | None, LimitRate]:
    """Return the limits of computing and of reading."""
    by_unit = {limit.unit: limit for limit in outcome.limits}
    return by_unit.get("operations"), by_unit["bytes"]
