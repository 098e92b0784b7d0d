"""Abs: ``|x|``; the gradient at 0 is 0."""

from __future__ import annotations

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = np.abs(x)
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = dy * np.sign(x)
    return result


OPERATOR = unary("Abs", formula, derivative, floats=False)
