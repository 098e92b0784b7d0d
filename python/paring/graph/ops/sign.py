"""Sign: -1, 0 or 1. The gradient is 0, as it is everywhere but at 0: nothing is learned through a sign."""

from __future__ import annotations

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = np.sign(x)
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = np.zeros_like(dy)
    return result


OPERATOR = unary("Sign", formula, derivative, floats=False)
