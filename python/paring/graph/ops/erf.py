"""Erf: the error function, whose derivative is ``2 / sqrt(pi) * exp(-x*x)``."""

from __future__ import annotations

import math

import numpy as np

from ..elementwise import unary
from ..normal_distribution import erf
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    return erf(x)


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = dy * (np.exp(-x * x) * x.dtype.type(2 / math.sqrt(math.pi)))
    return result


OPERATOR = unary("Erf", formula, derivative)
