"""Swish: ``x * sigmoid(alpha * x)``, also called SiLU; of opset 24."""

from __future__ import annotations

from typing import Any

from ..elementwise import unary
from ..operators import Array
from .sigmoid import formula as sigmoid

__all__ = ["OPERATOR"]


def formula(x: Array, alpha: Any) -> Array:
    result: Array = x * sigmoid(alpha * x)
    return result


def derivative(dy: Array, x: Array, y: Array, alpha: Any) -> Array:
    s = sigmoid(alpha * x)
    result: Array = dy * (s + alpha * y * (s.dtype.type(1) - s))
    return result


OPERATOR = unary("Swish", formula, derivative, alpha=1.0)
