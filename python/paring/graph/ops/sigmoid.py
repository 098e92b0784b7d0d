"""Sigmoid: ``1 / (1 + exp(-x))``. The exponential may overflow, which gives the right 0."""

from __future__ import annotations

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = x.dtype.type(1) / (x.dtype.type(1) + np.exp(-x))
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = dy * (y * (y.dtype.type(1) - y))
    return result


OPERATOR = unary("Sigmoid", formula, derivative)
