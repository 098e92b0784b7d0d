"""MatMul: ``a @ b``, matrix by matrix over stretched leading axes; a vector counts as one row or one column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..broadcasting import broadcast_shapes, sum_to
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed, same_dtype
from ..products import matrix_product, stacked_product

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    a, b = shapes
    if not a or not b:
        raise ValueError(
            f"expected vectors, matrices or stacks of matrices, got shapes {tuple(a)} and {tuple(b)}"
        )
    k, k_of_b = a[-1], b[0] if len(b) == 1 else b[-2]
    if k is not None and k_of_b is not None and k != k_of_b:
        raise ValueError(
            f"expected an inner size that fits, got {k} of shape {tuple(a)} and {k_of_b} of shape {tuple(b)}"
        )
    rows = a[-2:-1]
    columns = () if len(b) == 1 else b[-1:]
    return ((*broadcast_shapes(tuple(a[:-2]), tuple(b[:-2])), *rows, *columns),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    a, b = inputs
    same_dtype(a, b)
    infer(node, [a.shape, b.shape])
    if b.ndim == 2 and a.ndim > 1:
        # One large product instead of one for each matrix of the stack.
        return (matrix_product(_as_matrix(a), b).reshape(*a.shape[:-1], b.shape[1]),)
    y = stacked_product(a[None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b)
    # A vector was one row or one column, which the result has not.
    if b.ndim == 1:
        y = y[..., 0]
    if a.ndim == 1:
        y = y[..., 0] if b.ndim == 1 else y[..., 0, :]
    return (np.asarray(y),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    a, b = inputs
    (dy,) = gradients
    if len(b.shape) == 1:
        dy = dy[..., None]
    if len(a.shape) == 1:
        dy = dy[..., None, :]
    # Shapes below: a (..., m, k), b (..., k, n), dy (..., m, n).
    shape_of_a = (1, *a.shape) if len(a.shape) == 1 else a.shape
    shape_of_b = (*b.shape, 1) if len(b.shape) == 1 else b.shape

    def of_a() -> Any:
        turned: Array = b.reshape(shape_of_b).swapaxes(-1, -2)
        by_rows = len(shape_of_b) == 2
        result = (
            matrix_product(_as_matrix(dy), turned)
            if by_rows
            else sum_to(stacked_product(dy, turned), shape_of_a)
        )
        return result.reshape(a.shape)

    def of_b() -> Any:
        if len(shape_of_b) == 2:
            result = matrix_product(_as_matrix(a).T, _as_matrix(dy))
        else:
            result = sum_to(stacked_product(a.reshape(shape_of_a).swapaxes(-1, -2), dy), shape_of_b)
        return result.reshape(b.shape)

    return as_needed(needed, of_a, of_b)


def _as_matrix(x: Array) -> Array:
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


OPERATOR = Operator("MatMul", infer, meaning, gradient, inputs=(2, 2), attributes=())
