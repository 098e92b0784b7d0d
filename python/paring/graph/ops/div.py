"""Div: ``a / b``, either stretched to fit the other; integers are divided towards 0.

A division by 0 gives infinity or NaN, by an integer 0 it is refused.
"""

from __future__ import annotations

import numpy as np

from ..elementwise import binary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        result: Array = a / b
        return result
    if not np.all(b):
        raise ValueError("expected integers other than 0 to divide by")
    quotient, rest = np.divmod(a, b)
    # divmod rounds down.
    return np.asarray(quotient + ((rest != 0) & ((a < 0) != (b < 0)))).astype(quotient.dtype)


def derivative_of_a(dy: Array, a: Array, b: Array, y: Array) -> Array:
    result: Array = dy / b
    return result


def derivative_of_b(dy: Array, a: Array, b: Array, y: Array) -> Array:
    result: Array = -dy * y / b
    return result


OPERATOR = binary("Div", formula, derivative_of_a, derivative_of_b)
