"""Exp: ``e**x``."""

from __future__ import annotations

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = np.exp(x)
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = dy * y
    return result


OPERATOR = unary("Exp", formula, derivative)
