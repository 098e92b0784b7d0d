"""Gemm: ``alpha * a' @ b' + beta * c`` for matrices, a' and b' transposed if ``transA`` and ``transB`` say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..attributes import float_of, int_of
from ..broadcasting import broadcast_shapes, sum_to
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed, same_dtype
from ..products import matrix_product

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    a, b = map(tuple, shapes[:2])
    if len(a) != 2 or len(b) != 2:
        raise ValueError(f"expected two matrices, got shapes {a} and {b}")
    m, k = a[::-1] if int_of(node, "transA", 0) else a
    k_of_b, n = b[::-1] if int_of(node, "transB", 0) else b
    if k is not None and k_of_b is not None and k != k_of_b:
        raise ValueError(f"expected an inner size that fits, got {k} of shape {a} and {k_of_b} of shape {b}")
    c = (*shapes, None)[2]
    if c is not None and (len(c) > 2 or not _fits(broadcast_shapes(tuple(c), (m, n)), (m, n))):
        raise ValueError(f"expected a third input that stretches to shape {(m, n)}, got shape {tuple(c)}")
    return ((m, n),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    a, b, c = (*inputs, None)[:3]
    same_dtype(a, b, c)
    infer(node, [None if x is None else x.shape for x in inputs])
    a, b = (a.T if int_of(node, "transA", 0) else a), (b.T if int_of(node, "transB", 0) else b)
    alpha, beta = (a.dtype.type(float_of(node, name, 1.0)) for name in ("alpha", "beta"))
    if c is not None and alpha == beta == 1 and c.shape == (b.shape[1],):
        return (matrix_product(a, b, columns=c),)
    y = matrix_product(a, b)
    if alpha != 1:
        y *= alpha
    if c is not None:
        y += c if beta == 1 else beta * c
    return (y,)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (dy,) = gradients
    a, b, c = (*inputs, None)[:3]
    alpha, beta = (dy.dtype.type(float_of(node, name, 1.0)) for name in ("alpha", "beta"))
    turn_a, turn_b = int_of(node, "transA", 0), int_of(node, "transB", 0)
    scaled = dy if alpha == 1 else alpha * dy

    def of_a() -> Array:
        factor = b if turn_b else b.T
        return matrix_product(factor.T, scaled.T) if turn_a else matrix_product(scaled, factor)

    def of_b() -> Array:
        factor = a if turn_a else a.T
        return matrix_product(scaled.T, factor.T) if turn_b else matrix_product(factor, scaled)

    def of_c() -> Array:
        return sum_to(dy if beta == 1 else beta * dy, c.shape)

    return as_needed(needed, of_a, of_b, of_c)


def _fits(together: Shape, shape: Shape) -> bool:
    return len(together) == 2 and all(b in (a, None) for a, b in zip(together, shape, strict=True))


OPERATOR = Operator(
    "Gemm", infer, meaning, gradient, inputs=(2, 3), attributes=("alpha", "beta", "transA", "transB")
)
