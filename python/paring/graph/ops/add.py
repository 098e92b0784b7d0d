"""Add: ``a + b``, either stretched to fit the other."""

from __future__ import annotations

from ..elementwise import binary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(a: Array, b: Array) -> Array:
    result: Array = a + b
    return result


def derivative_of_a(dy: Array, a: Array, b: Array, y: Array) -> Array:
    return dy


def derivative_of_b(dy: Array, a: Array, b: Array, y: Array) -> Array:
    return dy


OPERATOR = binary("Add", formula, derivative_of_a, derivative_of_b)
