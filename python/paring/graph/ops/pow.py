"""Pow: ``a ** b``, either stretched to fit the other, in the dtype of a.

The gradient of a is 0 where b is 0, that of b is 0 where a is 0 and b is not negative, and NaN where a is negative.
"""

from __future__ import annotations

import numpy as np

from ..elementwise import binary
from ..operators import Array

__all__ = ["OPERATOR"]


def formula(a: Array, b: Array) -> Array:
    exponent = b.astype(a.dtype) if a.dtype.kind not in "iu" else b
    result: Array = np.power(a, exponent).astype(a.dtype, copy=False)
    return result


def derivative_of_a(dy: Array, a: Array, b: Array, y: Array) -> Array:
    exponent = b.astype(a.dtype, copy=False)
    one = a.dtype.type(1)
    # An exponent of 0 must not meet 0 ** -1.
    slope = exponent * np.power(a, np.where(exponent == 0, one, exponent - one))
    return np.asarray(dy * slope)


def derivative_of_b(dy: Array, a: Array, b: Array, y: Array) -> Array:
    slope = np.where((a == 0) & (b >= 0), a.dtype.type(0), y * np.log(a))
    return np.asarray(dy * slope).astype(b.dtype, copy=False)


OPERATOR = binary("Pow", formula, derivative_of_a, derivative_of_b, one_dtype=False)
