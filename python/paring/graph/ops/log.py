"""Log: the natural logarithm, -inf at 0 and NaN below."""

from __future__ import annotations

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = np.log(x)
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = dy / x
    return result


OPERATOR = unary("Log", formula, derivative)
