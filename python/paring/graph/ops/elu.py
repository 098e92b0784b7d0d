"""Elu: x above 0, ``alpha * (exp(x) - 1)`` below; the gradient at 0 is `alpha`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array, alpha: Any) -> Array:
    result: Array = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, x.dtype.type(0))))
    return result


def derivative(dy: Array, x: Array, y: Array, alpha: Any) -> Array:
    # Not y + alpha, which has little left far below 0.
    one = x.dtype.type(1)
    result: Array = dy * np.where(x > 0, one, alpha * np.exp(np.minimum(x, x.dtype.type(0))))
    return result


OPERATOR = unary("Elu", formula, derivative, alpha=1.0)
