"""Transpose: axes in the order of `perm`, or turned around if that is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attributes import ints_of
from ..nodes import Node, Shape
from ..operators import Array, Operator, Run, as_needed

__all__ = ["OPERATOR"]


def infer(node: Node, shapes: Sequence[Any]) -> Sequence[Shape]:
    (shape,) = shapes
    return (tuple(shape[axis] for axis in _order(node, len(shape))),)


def meaning(node: Node, inputs: Sequence[Any], run: Run) -> Sequence[Array]:
    (x,) = inputs
    return (x.transpose(_order(node, x.ndim)),)


def gradient(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Any],
    needed: Sequence[bool],
    kept: Any,
) -> Sequence[Array | None]:
    (dy,) = gradients
    return as_needed(needed, lambda: dy.transpose(np.argsort(_order(node, dy.ndim))))


def _order(node: Node, rank: int) -> tuple[int, ...]:
    order = ints_of(node, "perm")
    if order is None:
        return tuple(reversed(range(rank)))
    if sorted(order) != list(range(rank)):
        raise ValueError(f"perm: expected the numbers 0 to {rank - 1}, each once, got {order}")
    return order


OPERATOR = Operator("Transpose", infer, meaning, gradient, inputs=(1, 1), attributes=("perm",))
