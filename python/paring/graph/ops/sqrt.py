"""Sqrt: the square root, NaN below 0; the gradient at 0 is infinite."""

from __future__ import annotations

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = np.sqrt(x)
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = dy / (y + y)
    return result


OPERATOR = unary("Sqrt", formula, derivative)
