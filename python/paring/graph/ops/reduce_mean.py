"""ReduceMean: the mean along axes; NaN of nothing."""

from __future__ import annotations

import numpy as np

from ..operators import Array
from ..reductions import count_along, reduction

__all__ = ["OPERATOR"]


def formula(x: Array, axes: tuple[int, ...]) -> Array:
    total = x.sum(axis=axes, keepdims=True, dtype=x.dtype)
    result: Array = total / x.dtype.type(count_along(x.shape, axes))
    return result


def derivative(dy: Array, x: Array, y: Array, axes: tuple[int, ...]) -> Array:
    return np.broadcast_to(dy / x.dtype.type(count_along(x.shape, axes)), x.shape)


OPERATOR = reduction("ReduceMean", formula, derivative, floats=True)
