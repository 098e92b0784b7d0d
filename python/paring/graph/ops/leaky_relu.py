"""LeakyRelu: x above 0, ``alpha * x`` below; the gradient at 0 is `alpha`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array, alpha: Any) -> Array:
    result: Array = np.where(x > 0, x, alpha * x)
    return result


def derivative(dy: Array, x: Array, y: Array, alpha: Any) -> Array:
    result: Array = np.where(x > 0, dy, alpha * dy)
    return result


OPERATOR = unary("LeakyRelu", formula, derivative, alpha=0.01)
