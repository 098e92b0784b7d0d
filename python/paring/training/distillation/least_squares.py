"""Rows of a weight that bring ``x @ rows.T`` near to y in least squares, with zeros that stay zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...graph.nodes import Node
from ...graph.ops.conv import window_columns
from ...graph.windows import find_windows

__all__ = ["Moments", "fit_rows", "fit_scale", "reselect_rows"]

Array = npt.NDArray[Any]
MOST_ROUNDS = 200
TOLERANCE = 1e-4
"""Of the residual, beside the right-hand side."""
STAGES = (0.5, 0.75, 0.875, 0.94, 1.0)
LEAST_DAMPING = 1e-6  # so that an inverse exists


class Moments:
    """Sums over all places of x x' and y x', which is all of x and y that least squares needs.

    Parameters
    ----------
    centered : bool
        Whether means are taken out, since a bias takes them in.

    Attributes
    ----------
    mean_x, mean_y : ndarray
        Zero unless centered.
    """

    def __init__(self, centered: bool) -> None:
        self._centered = centered
        self._count = 0
        self._xx: Any = 0
        self._yx: Any = 0
        self._x: Any = 0
        self._y: Any = 0

    def add(self, node: Node, x: Array, y: Array, weight_shape: tuple[int, ...]) -> None:
        """Add what goes into a node, and what should come out of it."""
        if node.op != "Conv":
            self._add(x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1]))
            return
        windows = find_windows(node, x.shape[2:], weight_shape[2:])
        flat = np.moveaxis(y, 1, 0).reshape(y.shape[1], -1)
        for piece, columns in window_columns(windows, x, 1):
            self._add(columns[0].T, flat[:, piece].T)

    def _add(self, x: Array, y: Array) -> None:
        x, y = x.astype(np.float64), y.astype(np.float64)
        self._count += len(x)
        with np.errstate(invalid="ignore"):
            self._xx += x.T @ x
            self._yx += y.T @ x
        self._x += x.sum(axis=0)
        self._y += y.sum(axis=0)

    @property
    def finite(self) -> bool:
        """Whether all that was added was finite."""
        return bool(np.isfinite(self._xx).all() and np.isfinite(self._yx).all())

    @property
    def mean_x(self) -> Array:
        result: Array = self._x / self._count * self._centered
        return result

    @property
    def mean_y(self) -> Array:
        result: Array = self._y / self._count * self._centered
        return result

    @property
    def xx(self) -> Array:
        """Mean of x x', (columns, columns)."""
        result: Array = self._xx / self._count - np.outer(self.mean_x, self.mean_x)
        return result

    @property
    def yx(self) -> Array:
        """Mean of y x', (rows, columns)."""
        result: Array = self._yx / self._count - np.outer(self.mean_y, self.mean_x)
        return result


def fit_rows(rows: Array, moments: Moments, damping: float) -> Array:
    """Return rows with the same zeros that are nearest to least squares, found from `rows` by conjugate gradients.

    Each row has its own zeros and so its own system; all are solved at once, preconditioned by the diagonal. `damping`
    times the mean diagonal of x x' holds the values where they were.
    """
    mask = rows != 0
    xx = moments.xx
    xx[np.diag_indices_from(xx)] += damping * np.trace(xx) / len(xx)
    right = (moments.yx + damping * np.trace(moments.xx) / len(xx) * rows) * mask
    inverse = 1 / np.maximum(np.diag(xx), np.finfo(np.float64).tiny)
    found: Array = rows.copy()
    residual = right - (found @ xx) * mask
    direction = residual * inverse
    steepness = (residual * direction).sum(axis=1, keepdims=True)
    goal = TOLERANCE * np.linalg.norm(right)
    for _ in range(MOST_ROUNDS):
        if not np.linalg.norm(residual) > goal:
            break
        change = (direction @ xx) * mask
        curvature = (direction * change).sum(axis=1, keepdims=True)
        step = np.divide(steepness, curvature, out=np.zeros_like(curvature), where=curvature > 0)
        found += step * direction
        residual -= step * change
        scaled = residual * inverse
        flatter = (residual * scaled).sum(axis=1, keepdims=True)
        ratio = np.divide(flatter, steepness, out=np.zeros_like(flatter), where=steepness > 0)
        direction = scaled + ratio * direction
        steepness = flatter
    return found


def reselect_rows(full: Array, share: float, moments: Moments, damping: float) -> Array:
    """Return fitted rows of which a share is zero: which, is chosen by what it costs the outputs.

    From the rows before anything was pruned, in `STAGES` of rising shares: the values go whose loss costs least if the
    others of their row make good for it, ``w**2 / inverse(x x')[j, j]`` (Hassibi, Stork 1993, equation 5), and the
    rest is fitted before the next go.
    """
    xx = moments.xx
    xx[np.diag_indices_from(xx)] += max(damping, LEAST_DAMPING) * np.trace(xx) / len(xx)
    weights = 1 / np.diag(np.linalg.inv(xx))
    rows = full
    for stage in STAGES:
        count = round(share * stage * full.size)
        cost = np.where(rows == 0, -1.0, rows**2 * weights)  # what is gone stays gone
        gone = np.argsort(cost, axis=None, kind="stable")[:count]
        left = rows.copy()
        left.reshape(-1)[gone] = 0
        rows = fit_rows(left, moments, damping)
    return rows


def fit_scale(rows: Array, moments: Moments, alike: bool) -> Array:
    """Return the number by which to multiply each row, or all alike, in least squares; 1 where none above 0 is best."""
    upper = (rows * moments.yx).sum(axis=1)
    lower = (rows * (rows @ moments.xx)).sum(axis=1)
    if alike:
        upper, lower = np.full_like(upper, upper.sum()), np.full_like(lower, lower.sum())
    factors = np.divide(upper, lower, out=np.ones_like(upper), where=(upper > 0) & (lower > 0))
    result: Array = factors
    return result
