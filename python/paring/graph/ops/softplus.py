"""Softplus: ``log(1 + exp(x))``, without overflow; its derivative is the sigmoid, ``1 - exp(-y)``."""

from __future__ import annotations

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = np.logaddexp(x, x.dtype.type(0))
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = -dy * np.expm1(-y)
    return result


OPERATOR = unary("Softplus", formula, derivative)
