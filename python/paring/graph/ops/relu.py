"""Relu: ``max(x, 0)``; the gradient at 0 is 0. NaN stays NaN."""

from __future__ import annotations

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = np.maximum(x, x.dtype.type(0))
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = dy * (y > 0)
    return result


OPERATOR = unary("Relu", formula, derivative, floats=False)
