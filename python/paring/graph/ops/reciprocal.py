"""Reciprocal: ``1 / x``, infinite at 0."""

from __future__ import annotations

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = x.dtype.type(1) / x
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = -dy * y * y
    return result


OPERATOR = unary("Reciprocal", formula, derivative)
