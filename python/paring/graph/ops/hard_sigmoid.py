"""HardSigmoid: ``max(0, min(1, alpha * x + beta))``; the gradient at both kinks is 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array, alpha: Any, beta: Any) -> Array:
    result: Array = np.clip(alpha * x + beta, x.dtype.type(0), x.dtype.type(1))
    return result


def derivative(dy: Array, x: Array, y: Array, alpha: Any, beta: Any) -> Array:
    result: Array = np.where((y > 0) & (y < 1), alpha * dy, y.dtype.type(0))
    return result


OPERATOR = unary("HardSigmoid", formula, derivative, alpha=0.2, beta=0.5)
