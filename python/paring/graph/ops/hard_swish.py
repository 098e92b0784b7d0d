"""HardSwish: ``x * max(0, min(1, x/6 + 1/2))``; the gradient at -3 is 0 and at 3 it is 1."""

from __future__ import annotations

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    of = x.dtype.type
    result: Array = x * np.clip(x / of(6) + of(0.5), of(0), of(1))
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    of = x.dtype.type
    slope = np.where(x < 3, x / of(3) + of(0.5), of(1))
    result: Array = dy * np.where(x > -3, slope, of(0))
    return result


OPERATOR = unary("HardSwish", formula, derivative)
