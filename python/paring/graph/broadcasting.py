"""Shapes that NumPy stretches to fit, and the sums that undo it in gradients."""

from __future__ import annotations

from collections.abc import Sequence

from .nodes import Shape
from .operators import Array

__all__ = ["broadcast_shapes", "sum_to"]


def broadcast_shapes(*shapes: Shape) -> Shape:
    """Return the shape that arrays of these shapes have together.

    An unknown size goes with 1 and with itself; beside a size above 1 it is taken to be that one.

    Raises
    ------
    ValueError
        If two sizes differ and neither is 1.

    Examples
    --------
    >>> broadcast_shapes((None, 3), (3,), (1, 1, 1))
    (1, None, 3)
    """
    rank = max(map(len, shapes), default=0)
    result: list[int | None] = []
    for axis in range(-rank, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        known = sizes - {None}
        if len(known) > 1:
            raise ValueError(f"expected shapes that fit together, got {' and '.join(map(str, shapes))}")
        result.append(next(iter(known)) if known else None if sizes else 1)
    return tuple(result)


def sum_to(gradient: Array, shape: Sequence[int]) -> Array:
    """Return the gradient of an array that was stretched from `shape`: summed over what it was repeated along.

    Examples
    --------
    >>> import numpy as np
    >>> sum_to(np.ones((2, 3)), (3,)), sum_to(np.ones((2, 3)), (2, 1))
    (array([2., 2., 2.]), array([[3.],
           [3.]]))
    """
    if gradient.shape == tuple(shape):
        return gradient
    extra = gradient.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        extra + axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[extra + axis] != 1
    )
    total: Array = gradient.sum(axis=axes, dtype=gradient.dtype) if axes else gradient
    return total.reshape(shape)
