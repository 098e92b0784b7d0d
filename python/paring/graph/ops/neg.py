"""Neg: ``-x``."""

from __future__ import annotations

from ..elementwise import unary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(x: Array) -> Array:
    result: Array = -x
    return result


def derivative(dy: Array, x: Array, y: Array) -> Array:
    result: Array = -dy
    return result


OPERATOR = unary("Neg", formula, derivative, floats=False)
