"""ReduceMin: the smallest along axes; elements that tie share the gradient evenly. NaN wins. inf of nothing."""

from __future__ import annotations

from ..operators import Array
from ..reductions import reduction, share_evenly, smallest

__all__ = ["OPERATOR"]


def formula(x: Array, axes: tuple[int, ...]) -> Array:
    return smallest(x, axes)


def derivative(dy: Array, x: Array, y: Array, axes: tuple[int, ...]) -> Array:
    return share_evenly(dy, x, y, axes)


OPERATOR = reduction("ReduceMin", formula, derivative)
