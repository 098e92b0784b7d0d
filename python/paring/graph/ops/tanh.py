"""Tanh: the hyperbolic tangent, whose derivative is ``1 - y*y``."""

from __future__ import annotations

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = np.tanh(x)
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = dy * (y.dtype.type(1) - y * y)
    return result


OPERATOR = unary("Tanh", formula, derivative)
