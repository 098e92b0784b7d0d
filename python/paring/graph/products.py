"""Products of matrices: float32 by our kernels, which pack both sides on the way, float64 by NumPy.

A float32 product has the same bytes on every CPU and thread count, and those of a row do not depend on the other rows.
"""

from __future__ import annotations

import math

import numpy as np

from .. import _core
from .operators import Array

__all__ = ["matrix_product", "stacked_product"]


def matrix_product(a: Array, b: Array, *, columns: Array | None = None) -> Array:
    """Return ``a @ b`` of two matrices of one dtype, plus a value for each column if given, in C order.

    Examples
    --------
    >>> import numpy as np
    >>> matrix_product(np.eye(2, dtype=np.float32), np.float32([[1, 2], [3, 4]]), columns=np.float32([10, 20]))
    array([[11., 22.],
           [13., 24.]], dtype=float32)
    """
    if a.dtype != np.float32:
        y: Array = a @ b
        if columns is not None:
            y += columns
        return y
    y = np.empty((a.shape[0], b.shape[1]), np.float32)
    start = None if columns is None else np.ascontiguousarray(columns)
    _core.matrix_product(_readable(a), _readable(b), y, columns=start)
    return y


def stacked_product(a: Array, b: Array) -> Array:
    """Return ``a @ b`` of two stacks of matrices of one dtype, whose leading axes stretch to each other, in C order.

    Examples
    --------
    >>> import numpy as np
    >>> stacked_product(np.ones((3, 1, 2, 4), np.float32), np.ones((5, 4, 6), np.float32)).shape
    (3, 5, 2, 6)
    """
    if a.dtype != np.float32:
        y: Array = a @ b
        return y
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    left, right = _as_stack(a, lead), _as_stack(b, lead)
    y = np.empty((math.prod(lead), a.shape[-2], b.shape[-1]), np.float32)
    _core.matrix_products(_readable(left), _readable(right), y)
    return y.reshape(*lead, *y.shape[1:])


def _as_stack(x: Array, lead: tuple[int, ...]) -> Array:
    """Return an array stretched to these leading axes as (matrices, rows, columns)."""
    matrix = x.shape[-2:]
    if x.size == math.prod(matrix):  # one matrix for all: it is not copied
        return np.broadcast_to(x.reshape(matrix), (math.prod(lead), *matrix))
    return np.broadcast_to(x, (*lead, *matrix)).reshape(math.prod(lead), *matrix)


def _readable(a: Array) -> Array:
    """Return an array whose strides and alignment the kernel takes; those of transposed matrices are."""
    plain = min(a.strides) >= 0 and all(stride % 4 == 0 for stride in a.strides) and a.flags.aligned
    return a if plain and a.dtype.isnative else np.require(a, np.float32, ["C", "A"])
