"""Equal: whether ``a == b``, as booleans; NaN equals nothing. There is no gradient."""

from __future__ import annotations

from ..elementwise import comparison
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(a: Array, b: Array) -> Array:
    result: Array = a == b
    return result


OPERATOR = comparison("Equal", formula)
