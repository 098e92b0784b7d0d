"""ReduceMax: the largest along axes; elements that tie share the gradient evenly. NaN wins. -inf of nothing."""

from __future__ import annotations

from ..operators import Array
from ..reductions import largest, reduction, share_evenly

__all__ = ["OPERATOR"]


def formula(x: Array, axes: tuple[int, ...]) -> Array:
    return largest(x, axes)


def derivative(dy: Array, x: Array, y: Array, axes: tuple[int, ...]) -> Array:
    return share_evenly(dy, x, y, axes)


OPERATOR = reduction("ReduceMax", formula, derivative)
