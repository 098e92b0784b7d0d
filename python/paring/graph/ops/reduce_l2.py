"""ReduceL2: the square root of the sum of squares along axes; where that is 0, the gradient is 0."""

from __future__ import annotations

import numpy as np

from ..operators import Array
from ..reductions import reduction

__all__ = ["OPERATOR"]


def formula(x: Array, axes: tuple[int, ...]) -> Array:
    result: Array = np.sqrt((x * x).sum(axis=axes, keepdims=True, dtype=x.dtype))
    return result


def derivative(dy: Array, x: Array, y: Array, axes: tuple[int, ...]) -> Array:
    # dy has fewer elements than x.
    scaled = np.where(y == 0, y.dtype.type(0), dy / y)
    result: Array = scaled * x
    return result


OPERATOR = reduction("ReduceL2", formula, derivative, floats=True)
