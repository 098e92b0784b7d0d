"""ReduceSum: the sum along axes; 0 of nothing."""

from __future__ import annotations

import numpy as np

from ..operators import Array
from ..reductions import reduction

__all__ = ["OPERATOR"]


def formula(x: Array, axes: tuple[int, ...]) -> Array:
    result: Array = x.sum(axis=axes, keepdims=True, dtype=x.dtype)
    return result


def derivative(dy: Array, x: Array, y: Array, axes: tuple[int, ...]) -> Array:
    return np.broadcast_to(dy, x.shape)


OPERATOR = reduction("ReduceSum", formula, derivative)
