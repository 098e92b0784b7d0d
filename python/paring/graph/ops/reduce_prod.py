"""ReduceProd: the product along axes; 1 of nothing.

The gradient is the product of the others, which is never got by dividing: a 0 does no harm.
"""

from __future__ import annotations

import numpy as np

from ..operators import Array
from ..reductions import count_along, reduction

__all__ = ["OPERATOR"]


def formula(x: Array, axes: tuple[int, ...]) -> Array:
    result: Array = x.prod(axis=axes, keepdims=True, dtype=x.dtype)
    return result


def derivative(dy: Array, x: Array, y: Array, axes: tuple[int, ...]) -> Array:
    others = tuple(axis for axis in range(x.ndim) if axis not in axes)
    order = (*others, *axes)
    moved = x.transpose(order)
    shape = (*moved.shape[: len(others)], count_along(x.shape, axes))
    flat = moved.reshape(shape)
    product = before(flat) * before(flat[..., ::-1])[..., ::-1]
    back = product.reshape(moved.shape).transpose(np.argsort(order))
    return np.asarray(dy * back)


def before(x: Array) -> Array:
    """Return the products of all that stand before, along the last axis."""
    result = np.ones_like(x)
    np.cumprod(x[..., :-1], axis=-1, out=result[..., 1:])
    return result


OPERATOR = reduction("ReduceProd", formula, derivative)
