"""What a search for the sparsest model found: all of its points, not only the best."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..pictures import SAME_BYTES, check_picture, save_picture, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PruningCurve", "PruningPoint"]


@dataclass(frozen=True)
class PruningPoint:
    """One model that was measured.

    Attributes
    ----------
    sparsity : float
        The share of zeros in the weights that may be pruned.
    score : float
        What `evaluate` said of it; NaN if it said so.
    kept : bool
        Whether the score is good enough.
    """

    sparsity: float
    score: float
    kept: bool

    def to_list(self) -> list[Any]:
        """Return the point as JSON-able values; NaN and infinity are text."""
        finite = self.score == self.score and abs(self.score) != float("inf")
        return [self.sparsity, self.score if finite else str(self.score), self.kept]


@dataclass(frozen=True)
class PruningCurve:
    """The trade-off between zeros and score.

    Attributes
    ----------
    points : tuple of PruningPoint
        In the order in which they were measured; the first is the model as it was given.
    least_score : float
        The score that a model must have to be kept.
    best : PruningPoint
        The sparsest that was kept; the first point if none was.
    model : Model, dict of str to ndarray, or object
        The best, as `evaluate` was given it.
    stopped : str
        Why the search ended before it was complete; empty if it did not.
    """

    points: tuple[PruningPoint, ...]
    least_score: float
    best: PruningPoint
    model: Any
    stopped: str = ""

    def __str__(self) -> str:
        """Return the points as a table, sparsest last."""
        lines = ["  zeros      score"]
        for point in sorted(set(self.points), key=lambda point: (point.sparsity, point.score)):
            note = "best" if point is self.best or point == self.best else "" if point.kept else "too low"
            lines.append(f"{point.sparsity:>7.1%} {point.score:>10.4g}  {note}".rstrip())
        lines.append(
            f"least score {self.least_score:.4g}" + (f"; stopped: {self.stopped}" if self.stopped else "")
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        best = self.best
        return f"<PruningCurve: {len(self.points)} points, best {best.sparsity:.1%} zeros with score {best.score:.4g}>"

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw score against zeros.

        Parameters
        ----------
        path : path, optional
            Where to write the picture: ``.svg``, ``.png`` or ``.pdf``. The file is there when it is complete.

        Raises
        ------
        ImportError
            Without matplotlib, the extra ``plot``.
        ValueError
            If the path has another suffix.
        OSError
            If the file cannot be written.
        """
        check_picture(path, "a curve")
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        with rc_context(SAME_BYTES):
            figure = Figure(figsize=(6.4, 3.2), layout="constrained")
            axes = figure.subplots()
            points = sorted(self.points, key=lambda point: point.sparsity)
            shares, scores = [point.sparsity * 100 for point in points], [point.score for point in points]
            axes.plot(shares, scores, color="#1f5fa8", marker="o", markersize=3.5)
            axes.plot([self.best.sparsity * 100], [self.best.score], "o", color="#c8501e", label="best")
            axes.axhline(self.least_score, color="#909090", linewidth=0.8, linestyle=":", label="least score")
            axes.set_xlabel("zeros, %")
            axes.set_ylabel("score")
            axes.legend(frameon=False, fontsize=8)
            style_axes(axes)
            save_picture(figure, path)
        return figure
