"""Products of matrices: float32 by our kernels, which pack both sides on the way, float64 by NumPy.

A float32 product has the same bytes on every CPU and thread count, and those of a row do not depend on the other rows.
"""

from __future__ import annotations

import numpy as np

from .. import _core
from .operators import Array

__all__ = ["matrix_product"]


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
    _core.matrix_product(
        _readable(a), _readable(b), y, columns=None if columns is None else np.ascontiguousarray(columns)
    )
    return y


def _readable(a: Array) -> Array:
    """Return a matrix whose strides and alignment the kernel takes; transposed ones are."""
    strides = a.strides
    plain = min(strides) >= 0 and strides[0] % 4 == 0 and strides[1] % 4 == 0 and a.flags.aligned
    return a if plain and a.dtype.isnative else np.require(a, np.float32, ["C", "A"])
